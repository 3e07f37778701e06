package agents

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// isUnicode accepts JSON in UTF-8. It refuses an escape that is half of a character, such as a high
// surrogate without a low one.
func TestIsUnicode(t *testing.T) {
	tests := []struct {
		name string
		raw  string
		want bool
	}{
		{name: "characters", raw: `{"a":"text ü 😀"}`, want: true},
		{name: "a pair of surrogates", raw: `"\ud83d\ude00"`, want: true},
		{name: "an escaped backslash", raw: `"\u00fc\n\\ud800"`, want: true},
		{name: "nothing", raw: ``, want: true},
		{name: "a high surrogate at the end", raw: `"\ud83d"`, want: false},
		{name: "a high surrogate before a letter", raw: `"\ud83dx"`, want: false},
		{name: "a high surrogate before another escape", raw: `"\ud83d\u0041"`, want: false},
		{name: "surrogates in the wrong order", raw: `"\ude00\ud83d"`, want: false},
		{name: "a surrogate after a backslash", raw: `"\\\ud83d"`, want: false},
		{name: "a byte that is not UTF-8", raw: "\"\xff\"", want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, isUnicode([]byte(tt.raw)))
		})
	}
}
