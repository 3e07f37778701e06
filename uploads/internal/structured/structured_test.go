package structured_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads/internal/structured"
)

// Integer parses one integer of RFC 9651, which may have parameters.
func TestInteger(t *testing.T) {
	tests := []struct {
		lines  []string
		want   int64
		wantOK bool
	}{
		{lines: []string{"0"}, wantOK: true},
		{lines: []string{"42"}, want: 42, wantOK: true},
		{lines: []string{"0042"}, want: 42, wantOK: true},
		{lines: []string{"-1"}, want: -1, wantOK: true},
		{lines: []string{" 42  "}, want: 42, wantOK: true},
		{lines: []string{`42;a;b=?0; c="x\"y";d=:aGk=:;*e=tok/en;f=1.5;g=@1;h=%"%c3%bc"`}, want: 42, wantOK: true},
		{lines: []string{"999999999999999"}, want: 999_999_999_999_999, wantOK: true},
		{lines: []string{"1000000000000000"}},
		{lines: []string{"+1"}},
		{lines: []string{"1.0"}},
		{lines: []string{"0x1"}},
		{lines: []string{"1 2"}},
		{lines: []string{"1;"}},
		{lines: []string{"1 ;a"}},
		{lines: []string{"1;A"}},
		{lines: []string{"\t1"}},
		{lines: []string{"?1"}},
		{lines: []string{`"1"`}},
		{lines: []string{"1", "1"}},
		{lines: []string{""}},
		{},
	}
	for _, tt := range tests {
		got, ok := structured.Integer(tt.lines)
		require.Equal(t, tt.wantOK, ok, "%q", tt.lines)
		require.Equal(t, tt.want, got, "%q", tt.lines)
	}
}

// Boolean parses one boolean of RFC 9651, which may have parameters.
func TestBoolean(t *testing.T) {
	tests := []struct {
		lines  []string
		want   bool
		wantOK bool
	}{
		{lines: []string{"?1"}, want: true, wantOK: true},
		{lines: []string{"?0"}, wantOK: true},
		{lines: []string{" ?1;a=1"}, want: true, wantOK: true},
		{lines: []string{"1"}},
		{lines: []string{"true"}},
		{lines: []string{"?2"}},
		{lines: []string{"?1", "?1"}},
		{},
	}
	for _, tt := range tests {
		got, ok := structured.Boolean(tt.lines)
		require.Equal(t, tt.wantOK, ok, "%q", tt.lines)
		require.Equal(t, tt.want, got, "%q", tt.lines)
	}
}
