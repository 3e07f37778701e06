package localfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// WithPath replaces the name of a temporary file in an error by that of the final file. ErrorHint tells users what they
// can do.
func TestErrorsNameTheFinalFile(t *testing.T) {
	temp := filepath.Join("dir", TempName())
	otherErr := errors.New("another")
	tests := map[string]struct {
		err  error
		want string
		hint string
	}{
		"a full disk": {
			err:  &fs.PathError{Op: "write", Path: temp, Err: syscall.ENOSPC},
			want: "write dir/file: " + syscall.ENOSPC.Error(),
			hint: "free some space: the disk is full",
		},
		"a quota": {
			err:  fmt.Errorf("copy: %w", &fs.PathError{Op: "write", Path: temp, Err: syscall.EDQUOT}),
			want: "write dir/file: " + syscall.EDQUOT.Error(),
			hint: "raise the disk quota: it is used up",
		},
		"a rename": {
			err:  &os.LinkError{Op: "rename", Old: temp, New: "dir/file", Err: otherErr},
			want: "rename dir/file: another",
			hint: "",
		},
		"an error of another file": {
			err:  &fs.PathError{Op: "read", Path: "source", Err: otherErr},
			want: "read source: another",
			hint: "",
		},
		"another error": {err: otherErr, want: "another", hint: ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, WithPath(tt.err, "dir/file"), tt.want)
			require.Equal(t, tt.hint, ErrorHint(tt.err))
		})
	}
}
