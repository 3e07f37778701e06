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
		contentType, disposition string
		want                     string
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
			name:        "HTML that wants to be seen",
			contentType: "text/html",
			disposition: "inline",
			want:        attachment,
		},
		{
			name:        "HTML with a name",
			contentType: "text/html",
			disposition: `inline; filename="a.html"`,
			want:        `attachment; filename="a.html"`,
		},
		{
			name:        "an attachment as it is",
			contentType: "text/html",
			disposition: `Attachment; filename="a.html"`,
			want:        `Attachment; filename="a.html"`,
		},
		{name: "a picture", contentType: "image/png"},
		{
			name:        "a picture with a name",
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
			for _, allowed := range []bool{false, true} {
				var opts []serve.Option
				want := tt.want
				nosniff := "nosniff"
				policy := "sandbox"
				if tt.contentType == "application/pdf" {
					policy = "" // browsers show no PDF in a sandbox
				}
				if allowed {
					opts = []serve.Option{serve.AllowActiveContent()}
					want = tt.disposition
					nosniff = ""
					policy = ""
				}
				s := newSite(t, opts...)
				s.put("a", "<script>", storage.WithPublicRead(), storage.WithContentType(tt.contentType),
					storage.WithContentDisposition(tt.disposition))

				for _, address := range []string{s.publicURL("a"), s.signDownload("a").URL} {
					w := s.request("GET", address, nil)
					require.Equal(t, "<script>", w.Body.String())
					require.Equal(t, tt.contentType, w.Header().Get("Content-Type"))
					require.Equal(t, want, w.Header().Get("Content-Disposition"))
					require.Equal(t, nosniff, w.Header().Get("X-Content-Type-Options"))
					require.Equal(t, policy, w.Header().Get("Content-Security-Policy"))
				}
			}
		})
	}

	s := newSite(t)
	s.put("a", "<script>", storage.WithContentType("image/png"))
	w := s.request("GET", s.signDownload("a", storage.WithResponseContentType("text/html")).URL, nil)
	require.Equal(t, attachment, w.Header().Get("Content-Disposition"), "a type that was signed is no other")
}
