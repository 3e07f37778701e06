package uploads_test

import (
	"encoding/binary"
	"net/http"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A picture that is also a valid program is served as a picture, in a sandbox.
func TestDownloadPictureThatIsAlsoProgram(t *testing.T) {
	for _, tt := range polyglots() {
		t.Run(tt.name, func(t *testing.T) {
			format, _, _ := strings.Cut(tt.name, " ") // the first word of the name
			bucket := openMemory(t)
			s := newService(t, bucket, uploads.Config{Rules: rules.Rules{MaxPixels: 1 << 40}, Link: uploads.SignedLink})
			for method, f := range storeBothWays(t, s, tt.content) {
				header := getHeader(t, f.Location)
				require.Equal(t, "image/"+strings.ToLower(format), header.Get("Content-Type"), method)
				require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), method)
				require.Equal(t, "sandbox", header.Get("Content-Security-Policy"), method)
				require.Empty(t, header.Get("Content-Disposition"), method)
			}
		})
	}
}

// Files that are not pictures are served as attachments.
func TestDownloadOthersAsAttachments(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{
			Rules: rules.Rules{Types: []string{"image/svg+xml", "application/pdf", "text/plain"}},
			Link:  uploads.SignedLink,
		})
		tests := []struct{ name, content string }{
			{name: "SVG", content: svgFile},
			{name: "PDF", content: "%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"},
			{name: "text", content: "all is well"},
		}
		for _, tt := range tests {
			for method, f := range storeBothWays(t, s, tt.content) {
				header := getHeader(t, f.Location)
				require.Equal(t, f.ContentType, header.Get("Content-Type"), "%s by %s", tt.name, method)
				require.Equal(t, "attachment", header.Get("Content-Disposition"), "%s by %s", tt.name, method)
			}
		}
	})
}

// storeBothWays stores content with Store, and with Sign and Finish. It returns the files by the name of the method.
func storeBothWays(t *testing.T, s *uploads.Service, content string) map[string]*uploads.File {
	t.Helper()
	file, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(content)})
	require.NoError(t, err)
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
	require.NoError(t, err)

	require.Equal(t, http.StatusOK, send(t, ticket, content))
	finished, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
	return map[string]*uploads.File{"Store": file, "Finish": finished}
}

// getHeader returns the header that address is served with.
func getHeader(t *testing.T, address string) http.Header {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	response, err := client.Do(r)
	require.NoError(t, err)

	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	return response.Header
}

// gifWith returns a GIF of 8 by 8 pixels with these bytes as its screen's size, a comment, and "*/" after its
// end.
func gifWith(size, comment string) string {
	const screen = 13 // bytes before the color table
	raw := newGIF(8, 8)
	colors := 1 << (raw[10]&7 + 1) // by the flags of the screen
	table := raw[screen : screen+3*colors]

	var b strings.Builder
	b.WriteString(raw[:6])
	b.WriteString(size)
	b.WriteString(raw[10:screen])
	b.WriteString(table)

	b.WriteString("\x21\xfe")
	for ; comment != ""; comment = comment[min(255, len(comment)):] {
		b.WriteByte(byte(min(255, len(comment))))
		b.WriteString(comment[:min(255, len(comment))])
	}
	b.WriteByte(0)
	b.WriteString(raw[screen+len(table):])
	b.WriteString("*/")
	return b.String()
}

// jpegWith returns a JPEG that begins with a segment of this length.
func jpegWith(marker byte, length uint16, begin string) string {
	raw := newJPEG()
	segment := binary.BigEndian.AppendUint16([]byte{0xFF, 0xD8, 0xFF, marker}, length)
	return string(segment) + begin + strings.Repeat(" ", int(length)-2-len(begin)) + raw[2:]
}

func webpWith(size, rest string) string {
	return "RIFF" + size + "WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00" + rest
}

// wide encodes text as UTF-16.
func wide(order binary.ByteOrder, text string) string {
	b := []byte{}
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, 0, 0)
		order.PutUint16(b[len(b)-2:], unit)
	}
	return string(b)
}

const run = ";alert(1);/*"

// polyglots returns pictures that JavaScript can read as a program if a page says so in <script src charset>. Some
// others only look like a program. The first word of a name is the type.
func polyglots() []struct{ name, content string } {
	far := strings.Repeat("x", 6000)
	return []struct{ name, content string }{
		{name: "GIF in a comment", content: gifWith("/*\x09\x00", "*/=1"+run)},
		{name: "GIF in a line", content: gifWith("//\x09\x00", "\n=1"+run)},
		{name: "GIF in a text after a form feed", content: gifWith("=\x0c`\x0c", "`"+run)},
		{name: "GIF in a text after a vertical tab", content: gifWith("=\x0b`\x0b", "`"+run)},
		{name: "GIF in a text after a hard space", content: gifWith("\xa0=`\x01", "`"+run)},
		{name: "GIF in a text after a mark of UTF-8", content: gifWith("\xef\xbb\xbf`", "`"+run)},
		{name: "GIF in a quoted text", content: gifWith("=\t'\x01", "x'"+run)},
		{name: "GIF in a text with its end far away", content: gifWith("=`\x01\x01", far+"`"+run)},
		{name: "GIF whose text has code in it", content: gifWith("=`\x01\x01", "${alert(1)}") + "`"},
		{name: "GIF in a regular expression", content: gifWith("=/a\x01", "x/"+run)},
		{name: "GIF in a comment of HTML", content: gifWith("<!--", "\n=1"+run)},
		{name: "GIF in a comment of HTML that ends", content: gifWith("\n-->", "\n=1"+run)},
		{name: "GIF in a text of Shift JIS", content: gifWith("=`\x01\x01", "\x81`\x00`"+run)},
		{name: "GIF that changes its letters", content: gifWith("=`\x01\x01", "\x1b$B`\x00\x1b(B`"+run)},
		{name: "GIF in a line that UTF-8 ends", content: gifWith("//\x09\x00", "\u2028=`\n\x00`"+run)},
		{name: "GIF in little UTF-16", content: gifWith("=\x00`\x00", wide(binary.LittleEndian, "`;alert(1)//"))},
		{name: "GIF in big UTF-16", content: gifWith("\x00=\x00`", wide(binary.BigEndian, "`;alert(1)//"))},
		{name: "JPEG in a comment", content: jpegWith(0xE0, 0x2F2A, "\x00*/=1"+run+"/*") + "*/"},
		{name: "JPEG whose segment's length is an operator", content: jpegWith(0xE0, 0x093D, "1;alert(1);/*") + "*/"},
		{name: "JPEG of Exif in a text", content: jpegWith(0xE1, 0x6009, "Exif\x00`"+run) + "*/"},
		{name: "WebP in a comment", content: webpWith("/*\x00\x00", "*/=1;alert(1)")},
		{name: "WebP in a text with its end far away", content: webpWith("=`\x00\x00", far+"`;alert(1)")},
		{
			name:    "GIF that continues after what is inspected",
			content: gifWith("=`\x01\x01", "x") + strings.Repeat("x", mib) + "`;alert(1)",
		},
		{name: "GIF with a comment of JavaScript", content: newScriptGIF("/*")},
		{name: "JPEG with a comment of JavaScript in Latin-1", content: newScriptJPEG()},
		{
			name: "GIF in a template text",
			content: "GIF89a`\x00\x01\x00\x00\x00\x00\x21\xfe\x21`;alert(document.cookie);//______" +
				"\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00",
		},
		{name: "GIF with a text without its end", content: gifWith("=`\x01\x01", "alert(1)")},
		{name: "GIF with a text that pixels end", content: gifWith("=`\x01\x01", "`\x00")},
		{name: "GIF with a comment that continues", content: gifWith("/*\x09\x00", "*/\x00")},
		{name: "GIF of 96 pixels", content: gifWith("`\x00`\x00", "x")},
		{name: "GIF of 34 pixels", content: gifWith("\"\x00\"\x00", "x")},
		{name: "GIF with an operator and no text", content: gifWith("=\x00=\x00", "alert(1)")},
	}
}
