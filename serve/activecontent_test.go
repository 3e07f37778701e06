package serve_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
)

// The handler adds its sandbox to a Content-Security-Policy that a middleware has set.
func TestSandboxWithPolicyOfMiddleware(t *testing.T) {
	const strict = "default-src 'none'"
	tests := []struct {
		name        string
		contentType string
		opts        []serve.Option
		want        []string
	}{
		{name: "a page", contentType: "text/html", want: []string{strict, "sandbox"}},
		{name: "a PDF", contentType: "application/pdf", want: []string{strict}},
		{
			name:        "active content passes",
			contentType: "text/html",
			opts:        []serve.Option{serve.AllowActiveContent()},
			want:        []string{strict},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, tt.opts...)
			s.put("a", "x", storage.WithContentType(tt.contentType))

			// The middleware sets its policy before the handler does.
			inner := s.handler
			s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Security-Policy", strict)
				inner.ServeHTTP(w, r)
			})

			w := s.request("GET", s.signDownload("a").URL, nil)
			require.Equal(t, tt.want, w.Header().Values("Content-Security-Policy"))
		})
	}
}

// The handler serves active content, such as HTML, as an attachment.
func TestActiveContentIsAttachment(t *testing.T) {
	const attachment = "attachment"
	tests := []struct {
		name                     string
		contentType, disposition string // of the object
		want                     string // disposition in the response
	}{
		{name: "HTML", contentType: "text/html; charset=utf-8", want: attachment},
		{name: "HTML in capitals", contentType: "TEXT/HTML", want: attachment},
		{name: "XHTML", contentType: "application/xhtml+xml", want: attachment},
		{name: "SVG", contentType: "image/svg+xml", want: attachment},
		{name: "XML", contentType: "application/xml", want: attachment},
		{name: "a feed", contentType: "application/atom+xml", want: attachment},
		{name: "JavaScript", contentType: "text/javascript", want: attachment},
		{name: "an unknown type", contentType: "x/y", want: attachment},
		{
			name:        "HTML with the disposition inline",
			contentType: "text/html",
			disposition: "inline",
			want:        attachment,
		},
		{
			name:        "HTML with a file name",
			contentType: "text/html",
			disposition: `inline; filename="a.html"`,
			want:        `attachment; filename="a.html"`,
		},
		{
			name:        "attachment with a capital",
			contentType: "text/html",
			disposition: `Attachment; filename="a.html"`,
			want:        `Attachment; filename="a.html"`,
		},
		{name: "a picture", contentType: "image/png"},
		{
			name:        "a picture with a file name",
			contentType: "image/jpeg",
			disposition: `inline; filename="a.jpg"`,
			want:        `inline; filename="a.jpg"`,
		},
		{name: "text", contentType: "text/plain; charset=utf-8"},
		{name: "a film", contentType: "video/mp4"},
		{name: "a document", contentType: "application/pdf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			policy := "sandbox"
			if tt.contentType == "application/pdf" {
				policy = "" // browsers show no PDF in a sandbox
			}
			for _, header := range headersOfObject(newSite(t), tt.contentType, tt.disposition) {
				require.Equal(t, tt.contentType, header.Get("Content-Type"))
				require.Equal(t, tt.want, header.Get("Content-Disposition"))
				require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
				require.Equal(t, policy, header.Get("Content-Security-Policy"))
			}

			// With AllowActiveContent, the response has the headers that are stored with the
			// object.
			allowing := newSite(t, serve.AllowActiveContent())
			for _, header := range headersOfObject(allowing, tt.contentType, tt.disposition) {
				require.Equal(t, tt.contentType, header.Get("Content-Type"))
				require.Equal(t, tt.disposition, header.Get("Content-Disposition"))
				require.Empty(t, header.Get("X-Content-Type-Options"))
				require.Empty(t, header.Get("Content-Security-Policy"))
			}
		})
	}

	t.Run("HTML by the type that a URL has signed", func(t *testing.T) {
		s := newSite(t)
		s.put("a", "<script>", storage.WithContentType("image/png"))
		u := s.signDownload("a", storage.WithResponseContentType("text/html"))
		header := s.request("GET", u.URL, nil).Header()
		require.Equal(t, attachment, header.Get("Content-Disposition"))
	})
}

// headersOfObject stores an object, and returns the headers of the responses at its public and at its signed URL.
func headersOfObject(s *site, contentType, disposition string) []http.Header {
	s.Helper()
	s.put("a", "<script>", storage.WithPublicRead(), storage.WithContentType(contentType),
		storage.WithContentDisposition(disposition))

	var headers []http.Header
	for _, address := range []string{s.publicURL("a"), s.signDownload("a").URL} {
		w := s.request("GET", address, nil)
		require.Equal(s, "<script>", w.Body.String())
		headers = append(headers, w.Header())
	}
	return headers
}
