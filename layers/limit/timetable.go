package limit

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A Timetable has the limits for the times of a week. It consists of slots, each with a start and
// limits. The slot that has begun last applies. Before the first slot of a week, the last slot of
// the previous week applies. Without slots there is no limit.
type Timetable struct {
	slots []slot // in the order of their start
}

// A slot has the limits from its start until the start of the next slot. The start is a minute of
// the week, which begins on Sunday.
type slot struct {
	start int
	rates Rates
}

const minutesOfDay = 24 * 60

// Constant returns a timetable with the same limits all the time.
func Constant(r Rates) Timetable { return Timetable{[]slot{{0, r}}} }

// At returns the limits that apply at the given time, whose time zone decides the weekday and hour.
func (t Timetable) At(when time.Time) Rates {
	if len(t.slots) == 0 {
		return Rates{}
	}

	minute := int(when.Weekday())*minutesOfDay + when.Hour()*60 + when.Minute()
	// Before the first slot of the week, the last one still applies.
	current := t.slots[len(t.slots)-1]
	for _, s := range t.slots {
		if s.start > minute {
			break
		}
		current = s
	}
	return current.rates
}

// Parse parses a limit or a timetable in the notation of rclone's --bwlimit:
//
// - 10M is ten mebibytes a second for each direction. The units are B, K (1,024 bytes), M, G, T and
// P. A number without a unit counts KiB. "off" and 0 mean no limit.
// - 10M:1M is ten mebibytes a second for uploads, and one for downloads.
// - "08:00,512K 19:00,10M 23:00,off" has a limit for each time of the day.
// - "Mon-08:00,512K Sat-10:00,off" has times of the week. A time without a day is in each day.
//
// Anything else, and a limit below one byte a second, fails with InvalidArgument.
func Parse(text string) (Timetable, error) {
	fields := strings.Fields(strings.ReplaceAll(text, ";", " "))
	if len(fields) == 0 {
		return Timetable{}, malformed("must not be empty")
	}
	isConstant := len(fields) == 1 && !strings.Contains(fields[0], ",")
	if isConstant {
		rates, err := parseRates(fields[0])
		return Constant(rates), err
	}

	week := map[int]Rates{} // by minute of the week
	var weekly []slot       // with a day
	for _, field := range fields {
		day, minute, rates, err := parseSlot(field)
		if err != nil {
			return Timetable{}, err
		}
		if day != everyDay {
			weekly = append(weekly, slot{start: day*minutesOfDay + minute, rates: rates})
			continue
		}
		for day := range 7 {
			week[day*minutesOfDay+minute] = rates
		}
	}

	// A slot such as Mon-08:00 replaces the daily slot 08:00, whichever is first in the text.
	for _, s := range weekly {
		week[s.start] = s.rates
	}

	var t Timetable
	for minute := range 7 * minutesOfDay {
		if rates, ok := week[minute]; ok {
			t.slots = append(t.slots, slot{start: minute, rates: rates})
		}
	}
	return t, nil
}

// everyDay is the day of a slot that names none.
const everyDay = -1

// parseSlot parses one field of a timetable, such as 08:00,512K or Mon-08:00,512K. minute is the minute
// of the day.
func parseSlot(field string) (day, minute int, rates Rates, err error) {
	start, limit, ok := strings.Cut(field, ",")
	if !ok {
		return 0, 0, Rates{}, malformed(`must have the form "HH:MM,RATE" or "Mon-HH:MM,RATE", separated by spaces`)
	}
	rates, err = parseRates(limit)
	if err != nil {
		return 0, 0, Rates{}, err
	}

	dayName, clock, hasDay := strings.Cut(start, "-")
	if !hasDay {
		clock = start
	}
	minute, err = parseClock(clock)
	if err != nil {
		return 0, 0, Rates{}, err
	}

	if !hasDay {
		return everyDay, minute, rates, nil
	}
	day, err = parseDay(dayName)
	if err != nil {
		return 0, 0, Rates{}, err
	}
	return day, minute, rates, nil
}

// parseClock parses a time such as 08:00 or 8:00, and returns the minute of the day.
func parseClock(text string) (int, error) {
	hours, minutes, _ := strings.Cut(text, ":")
	hour, hourErr := strconv.Atoi(hours)
	minute, minuteErr := strconv.Atoi(minutes)
	isWellFormed := hourErr == nil && minuteErr == nil && len(minutes) == 2
	if !isWellFormed || hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, malformed("must have times from 00:00 to 23:59")
	}
	return hour*60 + minute, nil
}

// parseDay parses a day such as Mon or Monday, and returns its number, which is 0 for Sunday.
func parseDay(text string) (int, error) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(text, day.String()) || strings.EqualFold(text, day.String()[:3]) {
			return int(day), nil
		}
	}
	return 0, malformed("must name days as Mon or Monday")
}

// parseRates parses rates such as 10M for both directions, or 10M:1M for uploads and downloads.
func parseRates(text string) (Rates, error) {
	up, down, hasBoth := strings.Cut(text, ":")
	if !hasBoth {
		down = up
	}
	upload, err := parseRate(up)
	if err != nil {
		return Rates{}, err
	}
	download, err := parseRate(down)
	return Rates{Upload: upload, Download: download}, err
}

// unitBytes maps each unit of a rate to its number of bytes. A rate without a unit counts KiB.
var unitBytes = map[string]float64{
	"B": 1,
	"":  1 << 10,
	"K": 1 << 10,
	"M": 1 << 20,
	"G": 1 << 30,
	"T": 1 << 40,
	"P": 1 << 50,
}

// parseRate parses a rate such as 10M. It returns 0, which means no limit, for "off" and for 0.
func parseRate(text string) (Rate, error) {
	if strings.EqualFold(text, "off") {
		return 0, nil
	}

	number := strings.TrimRight(text, "iBbKkMmGgTtPp")
	unit := strings.TrimSuffix(strings.ToUpper(text[len(number):]), "IB")
	factor, ok := unitBytes[unit]
	value, err := strconv.ParseFloat(number, 64)
	bytes := value * factor
	if err != nil || !ok || math.IsNaN(bytes) {
		return 0, malformed(`must have rates such as 512K, 10M or "off"`)
	}
	if bytes == 0 {
		return 0, nil
	}
	if bytes < 1 || bytes > 1<<62 {
		return 0, malformed("must have rates from 1 byte a second")
	}
	return Rate(bytes), nil
}

func malformed(rule string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New("timetable " + rule)}
}
