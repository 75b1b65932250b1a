// What the parameters of main.bicep must be where types and decorators cannot say it. Bicep has no patterns; a condition
// before a question mark guards what would itself fail.

var digits = '0123456789'
var hexadecimals = '0123456789abcdef'
var smallLetters = 'abcdefghijklmnopqrstuvwxyz'
var letters = '${smallLetters}${toUpper(smallLetters)}'
var printable = '${letters}${digits}!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'

var currencies = split(join([
  'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY'
  'COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS'
  'INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP'
  'MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR'
  'SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV'
  'WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG'
], ' '), ' ')

func characters(text string) string[] => map(range(0, length(text)), place => substring(text, place, 1))

func onlyOf(text string, allowed string) bool => empty(filter(characters(text), one => !contains(allowed, one)))

func isNumber(text string) bool => (!empty(text) && length(text) < 10) ? onlyOf(text, digits) : false

func isNumberUpTo(text string, most int) bool => isNumber(text) ? (int(text) <= most) : false

func part(text string, separator string, place int) string => concat(split(text, separator), ['', '', '', ''])[place]

func parts(text string, separator string) int => length(split(text, separator))

func lengths(text string, separator string) string => join(map(split(text, separator), one => string(length(one))), ' ')

@export()
@description('Whether a text consists of 1 to most characters: letters, digits and the others that are given.')
func isName(text string, others string, most int) bool => (!empty(text) && length(text) <= most) ? onlyOf(text, '${letters}${digits}${others}') : false

@export()
@description('Whether a text consists of printable characters of ASCII without blanks.')
func isPrintable(text string) bool => onlyOf(text, printable)

@export()
@description('Whether a text may name a MongoDB cluster: 3 to 40 small letters and digits, with single hyphens between them.')
func isClusterName(text string) bool => isName(text, '-', 40) && length(text) > 2 && toLower(text) == text && !contains(split(text, '-'), '')

@export()
@description('Whether a text is an id of 32 hexadecimal digits in five groups.')
func isGuid(text string) bool => (lengths(text, '-') == '8 4 4 4 12') ? onlyOf(replace(toLower(text), '-', ''), hexadecimals) : false

@export()
@description('Whether a text is a currency of ISO 4217.')
func isCurrency(text string) bool => contains(currencies, text)

func isMonth(text string) bool => isNumberUpTo(text, 12) && text != '00'

@export()
@description('Whether a text is the first day of a month, such as 2026-12-01.')
func isFirstOfMonth(text string) bool => (lengths(text, '-') == '4 2 2' && endsWith(text, '-01')) ? (isNumber(part(text, '-', 0)) && isMonth(part(text, '-', 1))) : false

func withoutSign(text string) string => startsWith(text, '-') ? substring(text, 1) : text

func millionths(text string) int => int(part(text, '.', 0)) * 1000000 + int(substring('${part(text, '.', 1)}000000', 0, 6))

func signed(text string) int => startsWith(text, '-') ? (0 - millionths(withoutSign(text))) : millionths(text)

func isUnsigned(text string) bool => isNumber(part(text, '.', 0)) && (parts(text, '.') == 1 || isNumber(part(text, '.', 1)))

func isDecimal(text string) bool => parts(text, '.') < 3 && length(text) < 9 && isUnsigned(withoutSign(text))

@export()
@description('Whether a text is a decimal number from least to most, both in millionths.')
func isDecimalWithin(text string, least int, most int) bool => isDecimal(text) ? (signed(text) >= least && signed(text) <= most) : false

func isOctet(text string) bool => isNumberUpTo(text, 255) ? (string(int(text)) == text) : false

func areOctets(text string, number int) bool => parts(text, '.') == number && empty(filter(split(text, '.'), one => !isOctet(one)))

var privatePrefixes = concat(['192.168'], map(range(16, 16), octet => '172.${octet}'))

@export()
@description('Whether a text is the first two octets of a private network: 10.0 to 10.255, 172.16 to 172.31 or 192.168.')
func isPrivatePrefix(text string) bool => areOctets(text, 2) && (startsWith(text, '10.') || contains(privatePrefixes, text))

func isForm4(text string) bool => areOctets(part(text, '/', 0), 4) && isNumberUpTo(part(text, '/', 1), 32)

func isNetwork4(text string) bool => isForm4(text) ? (parseCidr(text).network == part(text, '/', 0)) : false

func areGroups6(text string) bool => empty(text) || empty(filter(split(text, ':'), group => empty(group) || length(group) > 4 || !onlyOf(toLower(group), hexadecimals)))

// Eight groups, or fewer with :: once in place of the others.
func isAddress6(text string) bool => parts(text, ':') < 9 && (parts(text, '::') == 2 ? (areGroups6(part(text, '::', 0)) && areGroups6(part(text, '::', 1))) : (parts(text, ':') == 8 && areGroups6(text)))

func isForm6(text string) bool => isAddress6(part(text, '/', 0)) && isNumberUpTo(part(text, '/', 1), 128)

// There are several ways to write an address, of which parseCidr gives one.
func isNetwork6(text string) bool => isForm6(text) ? (parseCidr(text).network == parseCidr('${part(text, '/', 0)}/128').network) : false

@export()
@description('Whether a text is a network such as 203.0.113.0/24 or 2001:db8::/32.')
func isNetwork(text string) bool => parts(text, '/') == 2 && (isNetwork4(text) || isNetwork6(text))

func isDomain(text string) bool => contains(text, '.') && isName(text, '.-', 255)

@export()
@description('Whether a text is an email address.')
func isEmail(text string) bool => parts(text, '@') == 2 && isPrintable(text) && !empty(part(text, '@', 0)) && isDomain(part(text, '@', 1))

@export()
@description('Whether a text is a telephone number: country code and number, such as 1 5551234567.')
func isPhone(text string) bool => parts(text, ' ') == 2 && !empty(part(text, ' ', 0)) && !empty(part(text, ' ', 1)) && onlyOf(replace(text, ' ', ''), digits)

func isHostName(text string) bool => isName(text, '.-', 255) && !startsWith(text, '-') && !startsWith(text, '.') && !endsWith(text, '-')

func isPort(text string) bool => isNumberUpTo(text, 65535) && !startsWith(text, '0')

func isHost(text string) bool => isHostName(part(text, ':', 0)) && (parts(text, ':') == 1 || (parts(text, ':') == 2 && isPort(part(text, ':', 1))))

func hasNone(text string, unwanted string[]) bool => empty(filter(unwanted, one => contains(text, one)))

@export()
@description('Whether a text is an https:// address without user, query and fragment.')
func isHttps(text string) bool => startsWith(text, 'https://') && isHost(part(text, '/', 2)) && isPrintable(text) && hasNone(text, ['?', '#', '@'])

@export()
@description('Whether a text is an https:// address of a host, without a path.')
func isHttpsHost(text string) bool => isHttps(text) && parts(text, '/') == 3

@export()
@description('Whether a text is an https:// address that something may be sent to: without user and fragment, special characters encoded.')
func isReceiver(text string) bool => startsWith(text, 'https://') && isHost(split(part(text, '/', 2), '?')[0]) && length(text) < 2049 && isPrintable(text) && hasNone(text, characters('#"<>\\^`{|}'))

@export()
@description('Whether a text is an origin as browsers send it: scheme and host in small letters, no path.')
func isOrigin(text string) bool => parts(text, '/') == 3 && isHost(part(text, '/', 2)) && toLower(text) == text && contains(['https:/', 'http:/'], '${part(text, '/', 0)}/${part(text, '/', 1)}')

@export()
@description('Whether a text has the form of a schedule: six fields, separated by single blanks.')
func isSchedule(text string) bool => parts(text, ' ') == 6 && empty(filter(split(text, ' '), field => !isName(field, '*/,-', 100)))

@export()
@description('Whether a text is the id of a resource group.')
func isGroupId(text string) bool => parts(text, '/') == 5 && startsWith(toLower(text), '/subscriptions/') && toLower(part(text, '/', 3)) == 'resourcegroups' && !empty(part(text, '/', 2))

func groupOf(text string) string => join(take(split(text, '/'), 5), '/')

func typeOf(text string) string => toLower(join(map(range(0, parts(text, '/') / 2 - 2), place => place == 0 ? split(text, '/')[6] : split(text, '/')[5 + 2 * place]), '/'))

@export()
@description('Whether a text is the id of a resource of a type in small letters, such as microsoft.eventgrid/topics.')
func isIdOf(text string, type string) bool => (parts(text, '/') == 5 + 2 * parts(type, '/')) ? (isGroupId(groupOf(text)) && typeOf(text) == type) : false

@export()
@description('Whether one of the texts is there twice, in whatever case.')
func hasTwice(texts string[]) bool => length(union(map(texts, text => toLower(text)), [])) < length(texts)
