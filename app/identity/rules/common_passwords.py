"""What people choose first and attackers try first: whole passwords of 12 characters and more, and words to build on."""

# Whole passwords, lower-case, as they recur in published lists of leaked ones.
_PASSWORDS = """
123456789012 1234567890123 12345678901234 123456789012345 1234567890123456 123123123123 123321123321 112233445566
111222333444 121212121212 123412341234 012345678910 098765432109 0987654321098 987654321098 147258369147
147852369147 159753159753 159357159357 741852963741 789456123789 102030405060 010203040506
1q2w3e4r5t6y 1q2w3e4r5t6y7u 1q2w3e4r5t6y7u8i 1q2w3e4r5t6y7u8i9o0p 1qaz2wsx3edc 1qaz2wsx3edc4rfv 1qazxsw23edc
1qaz1qaz1qaz q1w2e3r4t5y6 q1w2e3r4t5y6u7 qazwsxedcrfv qazwsxedc123 zaq12wsxcde3 zaq1zaq1zaq1 zxcvbnm12345
zxcvbnm123456 zxcvbnmasdfghjkl asdfghjkl123 asdfghjklqwertyuiop asdfghjklzxcvbnm asdfasdfasdf asdf1234asdf
asdfjkl12345 qwertyuiop12 qwertyuiop123 qwertyuiop1234 qwertyuiop12345 qwertyuiopas qwertyuiopasdf
qwertyuiopasdfghjkl qwertyuiopasdfghjklzxcvbnm qwerty123456 qwerty1234567 qwerty12345678 qwerty123456789
qwertyqwerty qweasdzxc123 qweasdzxcrty qwe123qwe123 qweqweqweqwe 123qweasdzxc 123qwe123qwe poiuytrewq123
abcdefghijkl abcdefghijklm abcdefghijklmnop abcdefghijklmnopqrstuvwxyz abcdefg12345 abcdefg1234567 abcd12345678
abcd1234abcd abc123abc123 abc123456789 a12345678901 a1b2c3d4e5f6 a1s2d3f4g5h6 aaaaaaaaaaaa aabbccddeeff
password1234 password12345 password123456 passwordpassword password12345678 passw0rd1234 p@ssw0rd1234
passwordabc123 mypassword123 mypassword1234 newpassword123 thisismypassword changemeplease changeme12345
changeme123456 letmeinletmein letmein12345 letmein123456 letmeinplease welcome12345 welcome123456 welcomewelcome
administrator administrator1 admin1234567 admin12345678 admin123456789 adminadmin123 adminadminadmin rootrootroot
iloveyou1234 iloveyou12345 iloveyou123456 iloveyouforever iloveyousomuch ilovemyfamily iloveyoubaby
iloveyou2023 iloveyou2024 iloveyou2025 sunshine1234 sunshine12345 princess1234 princess12345 football1234
football12345 baseball1234 basketball12 basketball123 liverpool1234 manchester123 manchesterunited chelsea12345
arsenal12345 barcelona123 realmadrid123 superman1234 superman12345 spiderman1234 batman123456 pokemon12345
starwars1234 starwars12345 dragon123456 master123456 monkey123456 shadow123456 michael12345 jennifer1234
christopher1 christopher12 alexander123 elizabeth123 jessica12345 samantha1234 charlie12345 computer1234
computer12345 internet1234 internet12345 microsoft123 whatever1234 trustno1trustno1
opensesame123 secret123456 secretsecret supersecret123 topsecret1234 testtesttest
test12345678 test123456789 testing12345 tester123456 guest1234567 default12345 qwerty!23456 1234qwerasdf
1234qwerasdfzxcv google123456 facebook1234 facebook12345 linkedin1234 yahoo1234567 samsung12345 samsung123456
chocolate123 butterfly123 happybirthday mynameisjohn godisgreat123 jesuschrist1 jesusislord123 blessedbegod
summer123456 winter123456 spring123456 autumn123456 january12345 december2024 december2025 september2025
penguinmails penguinmails1 penguinmails123
"""
COMMON_PASSWORDS = frozenset(_PASSWORDS.split())

# A password that is one of these with digits, signs or a year around it is no better than the word.
_WORDS = """
password passwort passwd passcode motdepasse contrasena senha parola qwerty qwertz azerty qwertyuiop asdfgh asdfghjkl
zxcvbn zxcvbnm letmein welcome willkommen bienvenue admin administrator root guest default changeme iloveyou
princess sunshine football baseball basketball superman batman dragon monkey master shadow michael jordan secret
summer winter spring autumn internet computer whatever trustno hello hallo test testing login access mustang
starwars pokemon liverpool chelsea arsenal barcelona charlie penguin penguins penguinmails
"""
COMMON_WORDS = frozenset(_WORDS.split())
