package serve_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
)

// If a middleware sets a Content-Security-Policy, the handler adds its sandbox beside it.
func TestSandboxWithPolicyOfMiddleware(t *testing.T) {
	const strict = "default-src 'none'"
	tests := map[string]struct {
		contentType string
		opts        []serve.Option
		want        []string
	}{
		"a page": {contentType: "text/html", opts: nil, want: []string{strict, "sandbox"}},
		"a PDF":  {contentType: "application/pdf", opts: nil, want: []string{strict}},
		"active content passes": {
			contentType: "text/html",
			opts:        []serve.Option{serve.AllowActiveContent()},
			want:        []string{strict},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tt.opts...)
			s.put("a", "x", storage.WithContentType(tt.contentType))
			inner := s.handler
			s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Security-Policy", strict)
				inner.ServeHTTP(w, r)
			})
			w := s.ask("GET", s.download("a").URL, nil)
			require.Equal(t, tt.want, w.Header().Values("Content-Security-Policy"))
		})
	}
}

// The handler serves active content, such as HTML, as an attachment.
func TestActiveContentIsAttachment(t *testing.T) {
	const attachment = "attachment"
	tests := map[string]struct {
		contentType, disposition string
		want                     string
	}{
		"HTML": {
			contentType: "text/html; charset=utf-8",
			disposition: "",
			want:        attachment,
		},
		"HTML in capitals": {contentType: "TEXT/HTML", disposition: "", want: attachment},
		"XHTML": {
			contentType: "application/xhtml+xml",
			disposition: "",
			want:        attachment,
		},
		"SVG": {contentType: "image/svg+xml", disposition: "", want: attachment},
		"XML": {contentType: "application/xml", disposition: "", want: attachment},
		"a feed": {
			contentType: "application/atom+xml",
			disposition: "",
			want:        attachment,
		},
		"JavaScript":                 {contentType: "text/javascript", disposition: "", want: attachment},
		"an unknown type":            {contentType: "x/y", disposition: "", want: attachment},
		"HTML that wants to be seen": {contentType: "text/html", disposition: "inline", want: attachment},
		"HTML with a name": {
			contentType: "text/html",
			disposition: `inline; filename="a.html"`,
			want:        `attachment; filename="a.html"`,
		},
		"an attachment as it is": {
			contentType: "text/html",
			disposition: `Attachment; filename="a.html"`,
			want:        `Attachment; filename="a.html"`,
		},
		"a picture": {contentType: "image/png", disposition: "", want: ""},
		"a picture with a name": {
			contentType: "image/jpeg",
			disposition: `inline; filename="a.jpg"`,
			want:        `inline; filename="a.jpg"`,
		},
		"text":       {contentType: "text/plain; charset=utf-8", disposition: "", want: ""},
		"a film":     {contentType: "video/mp4", disposition: "", want: ""},
		"a document": {contentType: "application/pdf", disposition: "", want: ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
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

				for _, address := range []string{s.public("a"), s.download("a").URL} {
					w := s.ask("GET", address, nil)
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
	w := s.ask("GET", s.download("a", storage.WithResponseContentType("text/html")).URL, nil)
	require.Equal(t, attachment, w.Header().Get("Content-Disposition"), "a type that was signed is no other")
}
