package driver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
)

// ResponseDisposition has the name of a download twice, in ASCII and encoded as in RFC 8187.
func TestDownloadNames(t *testing.T) {
	tests := []struct {
		name string
		file string
		want string
	}{
		{
			name: "ASCII",
			file: "a.txt",
			want: `attachment; filename="a.txt"; filename*=UTF-8''a.txt`,
		},
		{
			name: "accent and quotes",
			file: `Ré "1".pdf`,
			want: `attachment; filename="R_ _1_.pdf"; filename*=UTF-8''R%C3%A9%20%221%22.pdf`,
		},
		{
			name: "slashes and an escape",
			file: `a\b/c%41`,
			want: `attachment; filename="a_b_c_41"; filename*=UTF-8''a%5Cb%2Fc%2541`,
		},
		{
			name: "separators of header parameters",
			file: "a;b=c&d'e(f)",
			want: `attachment; filename="a;b=c&d'e(f)"; filename*=UTF-8''a%3Bb%3Dc%26d%27e%28f%29`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := &driver.SignRequest{ResponseName: tt.file}
			require.Equal(t, tt.want, req.ResponseDisposition())
		})
	}
}
