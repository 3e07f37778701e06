package sdkerror

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// RetryAfter reads seconds and dates.
func TestRetryAfter(t *testing.T) {
	tests := []struct {
		name, after, date string
		want              time.Duration
	}{
		{name: "seconds", after: "7", want: 7 * time.Second},
		{
			name:  "a date, by the server's clock",
			after: "Fri, 02 Jan 2026 03:04:15 GMT",
			date:  "Fri, 02 Jan 2026 03:04:05 GMT",
			want:  10 * time.Second,
		},
		{name: "a date without a Date header", after: "Fri, 02 Jan 2026 03:04:15 GMT", want: 0},
		{name: "nothing", want: 0},
		{name: "neither", after: "soon", want: 0},
		{name: "a negative number", after: "-3", want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			h.Set("Retry-After", tt.after)
			h.Set("Date", tt.date)
			require.Equal(t, tt.want, RetryAfter(h))
		})
	}
}
