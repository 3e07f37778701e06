package console

import "fmt"

// FormatSize returns a number of bytes for people, in units of 1024.
func FormatSize(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size := float64(n) / (1 << 10)
	unit := 0
	// A larger size would round to 1024.0.
	for size >= 1023.95 && unit < len(units)-1 {
		size = size / (1 << 10)
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", size, units[unit])
}
