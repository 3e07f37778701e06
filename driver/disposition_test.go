package driver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
)

// ContentDisposition has the name of a download, in a form that each browser understands.
func TestDownloadNames(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt":             `attachment; filename="a.txt"; filename*=UTF-8''a.txt`,
		"R\u00e9 \"1\".pdf": `attachment; filename="R_ _1_.pdf"; filename*=UTF-8''R%C3%A9%20%221%22.pdf`,
		`a\b/c%41`:          `attachment; filename="a_b_c_41"; filename*=UTF-8''a%5Cb%2Fc%2541`,
		"a;b=c&d'e(f)":      `attachment; filename="a;b=c&d'e(f)"; filename*=UTF-8''a%3Bb%3Dc%26d%27e%28f%29`,
	} {
		require.Equal(t, want, (&driver.SignRequest{ResponseName: name}).ResponseDisposition())
	}
}
