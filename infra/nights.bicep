// The nights of a schedule that is plain enough for the alert no-run-completed to follow it: minutes and hours as numbers, every
// day of every month, weekdays without steps.

var numbers = concat(map(range(0, 60), number => string(number)), map(range(0, 10), number => '0${number}'))
var weekdayNames = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

func fields(schedule string) string[] => split(schedule, ' ')

func areNumbers(field string) bool => empty(filter(split(field, ','), one => !contains(numbers, one)))

// As the host reads them: 0 is Sunday, names by any prefix, ranges in either order.
func days(name string) int[] => filter(range(0, 7), day => string(day) == name || (!empty(name) && startsWith(weekdayNames[day], name)))

func isRange(term string) bool => length(split(term, '-')) < 3 && empty(filter(split(term, '-'), name => empty(days(name))))

func ends(term string) int[] => map(split(term, '-'), name => min(days(name)))

func between(term string) int[] => range(min(ends(term)), max(ends(term)) - min(ends(term)) + 1)

func terms(field string) string[] => split(field == '*' ? '0-6' : toLower(field), ',')

@export()
@description('Whether a schedule is so plain.')
func isNightly(schedule string) bool => (length(fields(schedule)) == 6) ? (areNumbers(fields(schedule)[1]) && areNumbers(fields(schedule)[2]) && fields(schedule)[3] == '*' && fields(schedule)[4] == '*' && empty(filter(terms(fields(schedule)[5]), term => !isRange(term)))) : false

@export()
@description('The starts of such a schedule, in minutes after midnight.')
func starts(schedule string) int[] => flatten(map(split(fields(schedule)[2], ','), hour => map(split(fields(schedule)[1], ','), minute => int(hour) * 60 + int(minute))))

@export()
@description('The weekdays of such a schedule; 0 is Sunday.')
func weekdays(schedule string) int[] => flatten(map(terms(fields(schedule)[5]), term => between(term)))
