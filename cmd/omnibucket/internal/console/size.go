package console

import "fmt"

// FormatSize formats a number of bytes for people, such as "1.5 KiB".
func FormatSize(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}

	size := float64(n) / (1 << 10)
	unit := 0
	const limit = 1023.95 // from here on, "%.1f" would print 1024.0
	for size >= limit && unit < len(units)-1 {
		size /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", size, units[unit])
}
