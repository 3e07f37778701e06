package record

import (
	"fmt"
	"time"
)

// Nanos formats a time of n nanoseconds with a suitable unit.
func Nanos(n float64) string {
	d := time.Duration(n)
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%.1f ns", n)
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f µs", n/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.2f ms", n/1e6)
	default:
		return fmt.Sprintf("%.2f s", n/1e9)
	}
}

// Size formats a number of bytes with a suitable unit.
func Size(bytes float64) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%.0f B", bytes)
	case bytes < 1<<20:
		return fmt.Sprintf("%.0f KiB", bytes/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", bytes/(1<<20))
	}
}
