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

// files returns the handler of the page's own files and scripts, which include the optional script of
// the configuration as /extra.js.
func (h *Handler) files() http.Handler {
	uploader := uploads.Script()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Path == "/upload.js":
			uploader.ServeHTTP(w, r)
		case r.URL.Path == "/extra.js" && h.config.Script != nil:
			send(w, "extra.js", h.config.Script)
		default:
			serveFile(w, r)
		}
	})
}

// serveFile responds with a file of the page, which is index.html for the path "/".
func serveFile(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}

	name := "index.html"
	if r.URL.Path != "/" {
		name = path.Base(r.URL.Path)
		if r.URL.Path != "/"+name {
			http.NotFound(w, r)
			return
		}
	}
	content, err := files.ReadFile("page/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	send(w, name, content)
}

// send sends a file. The extension of its name decides the media type.
func send(w http.ResponseWriter, name string, content []byte) {
	w.Header().Set("Content-Type", types[path.Ext(name)]+"; charset=utf-8")
	// An error means that the client has disconnected.
	_, _ = w.Write(content)
}
