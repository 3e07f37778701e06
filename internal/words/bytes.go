// Package words formats what programs show to people: sizes, their own version, and texts that were cut without cutting
// a character.
package words

import (
	"fmt"
	"strconv"
	"strings"
)

// Bytes returns a number of bytes in words, such as "10 MiB", "1.5 KiB" or "1 byte".
func Bytes(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	value := float64(n)
	unit := ""
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1023.95 {
			// A larger value would be rounded to 1024.0.
			break
		}
		value = value / (1 << 10)
		unit = u
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + unit
}
