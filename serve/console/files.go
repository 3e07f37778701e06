package console

import (
	"embed"
	"net/http"
	"path"

	"github.com/omnibucket/storage/uploads"
)

//go:embed page
var files embed.FS

// types are the media types of the page's files.
var types = map[string]string{".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": typeSVG}

// files serves the page and its modules.
func (h *Handler) files() http.Handler {
	uploader := uploads.Script()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		switch r.URL.Path {
		case "/":
			name = "index.html"
		case "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
			return
		case "/upload.js":
			uploader.ServeHTTP(w, r)
			return
		case "/extra.js":
			if h.config.Script != nil {
				send(w, name, h.config.Script)
				return
			}
		}
		content, err := files.ReadFile("page/" + name)
		if err != nil || r.Method != http.MethodGet && r.Method != http.MethodHead ||
			r.URL.Path != "/" && r.URL.Path != "/"+name {
			http.NotFound(w, r)
			return
		}
		send(w, name, content)
	})
}

func send(w http.ResponseWriter, name string, content []byte) {
	w.Header().Set("Content-Type", types[path.Ext(name)]+"; charset=utf-8")
	// An error means that the client has disconnected.
	_, _ = w.Write(content)
}
