package uploads_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// docs/files-of-users.md names content that the rules do not look at. Such files are stored, but their headers
// keep browsers from running them.
func TestDownloadOfUnopenedFiles(t *testing.T) {
	const zip = "PK\x03\x04\x14\x00 a.txt PK\x05\x06"
	for _, row := range []struct{ name, content, contentType, disposition string }{
		{"a GIF with a ZIP behind it", "GIF89a\x01\x00\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;" + zip, "image/gif", ""},
		{"a PDF with a ZIP in it", "%PDF-1.7\n" + zip, "application/pdf", "attachment"},
		{"a PDF with a script of its own", "%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>", "application/pdf", "attachment"},
		{"a PDF with a page far behind", "%PDF-1.7\n" + strings.Repeat(" ", 1100) + "<script>alert(1)</script>", "application/pdf", "attachment"},
		{"a video with a page far behind", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41" + strings.Repeat("\x00", 2000) + "<script>alert(1)</script>", "video/mp4", "attachment"},
		{"a text with an element that no list has", "hello <xss onwheel=alert(1)>", "text/plain; charset=utf-8", "attachment"},
		{"a text in UTF-7", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "text/plain; charset=utf-8", "attachment"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newService(t, inMemory(t), uploads.Config{
				Rules: rules.Rules{Types: []string{"image/gif", "application/pdf", "video/mp4", "text/plain"}},
				Link:  uploads.SignedLink,
			})
			f, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(row.content), Name: "a.html", ClaimedType: "text/html"})
			require.NoError(t, err)
			header := headerOf(t, f.Location)
			require.Equal(t, row.contentType, header.Get("Content-Type"))
			require.Equal(t, row.disposition, header.Get("Content-Disposition"))
			require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
			require.NotContains(t, f.Key, "html")
		})
	}
}
