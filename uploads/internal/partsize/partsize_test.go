package partsize_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/partsize"
)

// The function For returns a part size within the limits of the store. If the limits permit it, the
// size is at least the base. If they permit it, the parts are also large enough for the whole file.
func TestPartSizesFitLimits(t *testing.T) {
	const mib = 1 << 20
	s3 := storage.PartLimits{MinSize: 5 * mib, MaxSize: 5 << 30, MaxParts: 10_000}
	tests := []struct {
		name   string
		limits storage.PartLimits
		size   int64
		base   int64
		want   int64
	}{
		{name: "a file that fits", limits: s3, size: 100 * mib, base: partsize.Base, want: 8 * mib},
		{name: "an unknown size", limits: s3, size: -1, base: partsize.Base, want: 8 * mib},
		{name: "a base below the minimum", limits: s3, size: 100 * mib, base: 1 << 10, want: 5 * mib},
		{name: "many parts, rounded up to a MiB", limits: s3, size: 80_001 * mib, base: partsize.Base, want: 9 * mib},
		{name: "the largest file, rounded up to a MiB", limits: s3, size: 5 << 40, base: partsize.Base, want: 525 * mib},
		{name: "no limits", limits: storage.PartLimits{}, size: 1 << 40, base: partsize.Base, want: 8 * mib},
		{name: "a unit", limits: storage.PartLimits{Unit: 3 * mib}, size: 100 * mib, base: partsize.Base, want: 9 * mib},
		{name: "a maximum", limits: storage.PartLimits{MaxSize: 4 * mib}, size: 100 * mib, base: partsize.Base, want: 4 * mib},
		{
			name:   "a maximum and a unit",
			limits: storage.PartLimits{MaxSize: 4 * mib, Unit: 3 * mib},
			size:   100 * mib,
			base:   partsize.Base,
			want:   3 * mib,
		},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, partsize.For(tt.limits, tt.size, tt.base), tt.name)
	}
}
