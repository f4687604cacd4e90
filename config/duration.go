package config

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// maxDays is more than any bound here and far from what a time.Duration can hold.
const maxDays = 100_000

var errDuration = errors.New("is not a duration; write a number with a unit (ms, s, m, h or d), such as 10s")

// parseDuration reads a duration as time.ParseDuration does, and whole days before the rest, as in
// 3d or 1d12h.
func parseDuration(text string) (time.Duration, error) {
	var total time.Duration
	if number, rest, found := strings.Cut(text, "d"); found {
		days, err := strconv.ParseUint(number, 10, 32)
		if err != nil || days > maxDays {
			return 0, errDuration
		}
		total = time.Duration(days) * day
		if rest == "" {
			return total, nil
		}
		if strings.ContainsAny(rest, "+-") {
			return 0, errDuration
		}
		text = rest
	}
	rest, err := time.ParseDuration(text)
	if err != nil || total+rest < total && total > 0 {
		return 0, errDuration
	}
	return total + rest, nil
}

// formatDuration writes a duration as one would in the file: 30d and 10m, not 720h0m0s and 10m0s.
func formatDuration(d time.Duration) string {
	if d > day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	for _, zero := range []struct{ long, short string }{{"m0s", "m"}, {"h0m", "h"}} {
		if short, found := strings.CutSuffix(text, zero.long); found {
			text = short + zero.short
		}
	}
	return text
}
