package uploads_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// The rules do not look at some content, which docs/files-of-users.md names. Files with such content are stored, and
// their headers keep browsers from running it.
func TestDownloadOfUnopenedFiles(t *testing.T) {
	const zip = "PK\x03\x04\x14\x00 a.txt PK\x05\x06"
	tests := []struct{ name, content, wantContentType, wantDisposition string }{
		{
			name:            "a GIF with a ZIP behind it",
			content:         "GIF89a\x01\x00\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;" + zip,
			wantContentType: "image/gif",
		},
		{
			name:            "a PDF with a ZIP in it",
			content:         "%PDF-1.7\n" + zip,
			wantContentType: "application/pdf",
			wantDisposition: "attachment",
		},
		{
			name:            "a PDF with a script of its own",
			content:         "%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>",
			wantContentType: "application/pdf",
			wantDisposition: "attachment",
		},
		{
			name:            "a PDF with a web page after its first kilobyte",
			content:         "%PDF-1.7\n" + strings.Repeat(" ", 1100) + "<script>alert(1)</script>",
			wantContentType: "application/pdf",
			wantDisposition: "attachment",
		},
		{
			name:            "a video with a web page after its first kilobyte",
			content:         "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41" + strings.Repeat("\x00", 2000) + "<script>alert(1)</script>",
			wantContentType: "video/mp4",
			wantDisposition: "attachment",
		},
		{
			name:            "a text with an HTML element that the rules do not know",
			content:         "hello <xss onwheel=alert(1)>",
			wantContentType: "text/plain; charset=utf-8",
			wantDisposition: "attachment",
		},
		{
			name:            "a text in UTF-7",
			content:         "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
			wantContentType: "text/plain; charset=utf-8",
			wantDisposition: "attachment",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, openMemory(t), uploads.Config{
				Rules: rules.Rules{Types: []string{"image/gif", "application/pdf", "video/mp4", "text/plain"}},
				Link:  uploads.SignedLink,
			})
			f, err := s.Store(t.Context(), uploads.Upload{
				Body:        strings.NewReader(tt.content),
				Name:        "a.html",
				ClaimedType: "text/html",
			})
			require.NoError(t, err)

			header := getHeader(t, f.Location)
			require.Equal(t, tt.wantContentType, header.Get("Content-Type"))
			require.Equal(t, tt.wantDisposition, header.Get("Content-Disposition"))
			require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
			require.NotContains(t, f.Key, "html")
		})
	}
}
