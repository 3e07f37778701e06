package sdkerror

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetryAfter(t *testing.T) {
	for _, row := range []struct {
		name, after, date string
		want              time.Duration
	}{
		{"seconds", "7", "", 7 * time.Second},
		{"a date, by the server's clock", "Fri, 02 Jan 2026 03:04:15 GMT", "Fri, 02 Jan 2026 03:04:05 GMT", 10 * time.Second},
		{"a date without a Date header", "Fri, 02 Jan 2026 03:04:15 GMT", "", 0},
		{"nothing", "", "", 0},
		{"neither", "soon", "", 0},
		{"a negative number", "-3", "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := http.Header{}
			h.Set("Retry-After", row.after)
			h.Set("Date", row.date)
			require.Equal(t, row.want, RetryAfter(h))
		})
	}
}
