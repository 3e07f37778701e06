package agents

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIsUnicode(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want bool
	}{
		{`{"a":"text ü 😀"}`, true},
		{`"\ud83d\ude00"`, true},
		{`"\u00fc\n\\ud800"`, true},
		{`"\ud83d"`, false},
		{`"\ud83dx"`, false},
		{`"\ud83d\u0041"`, false},
		{`"\ude00\ud83d"`, false},
		{`"\\\ud83d"`, false},
		{"\"\xff\"", false},
		{``, true},
	} {
		require.Equal(t, tt.want, isUnicode([]byte(tt.raw)), tt.raw)
	}
}
