// Package pages serves the web pages of the examples with a common layout and stylesheet.
package pages

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed layout.html shared
var common embed.FS

// A Site describes the web pages of one example.
type Site struct {
	// Example is the name of the example's directory.
	Example string
	// Files has the pages and their scripts. A page is an HTML file that defines the templates
	// title, lead, script and main. Scripts import common modules from ./shared/.
	Files fs.FS
	// Links are shown on each page. They are needed if the site has several pages.
	Links []Link
	// Data is passed to the templates.
	Data any
	// Origins returns the origins of the store. Scripts may connect to them, and pages may load
	// images from them. If it is nil, pages may only use the site itself.
	Origins func(context.Context) []string
}

// A Link is a link to one page of a site.
type Link struct {
	Address string // path of the page; "." for index.html
	Name    string
}

// contentTypes maps the file extensions that a site may have to content types.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// A file holds the rendered content of one file of the site.
type file struct {
	contentType string
	content     []byte
}

// Handler serves the site at its root. If a template is invalid, or if a file is not HTML, CSS,
// JavaScript or SVG, Handler fails.
func Handler(s Site) (http.Handler, error) {
	// Files of the site replace common files with the same name.
	files := map[string]file{}
	for _, fsys := range []fs.FS{common, s.Files} {
		err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || name == "layout.html" {
				return err
			}
			f, err := s.read(fsys, name)
			if err != nil {
				return err
			}
			files["/"+strings.TrimSuffix(name, "index.html")] = f
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return s.guard(files), nil
}

// read returns a file as it is served. It renders a page.
func (s *Site) read(fsys fs.FS, name string) (file, error) {
	content, err := fs.ReadFile(fsys, name)
	if err != nil {
		return file{}, err
	}
	extension := path.Ext(name)
	contentType := contentTypes[extension]
	if contentType == "" {
		return file{}, fmt.Errorf("pages: %s is of an unknown kind", name)
	}
	if extension == ".html" {
		content, err = s.render(name, string(content))
		if err != nil {
			return file{}, err
		}
	}
	return file{contentType, content}, nil
}

// render puts a page into the layout, and marks the link to the page itself as current. The package
// html/template escapes all data.
func (s *Site) render(name, source string) ([]byte, error) {
	layout, err := template.ParseFS(common, "layout.html")
	if err != nil {
		return nil, err
	}
	if _, err := layout.New(name).Parse(source); err != nil {
		return nil, err
	}

	type link struct {
		Link
		Current bool
	}
	var links []link
	for _, l := range s.Links {
		isIndex := l.Address == "." && name == "index.html"
		links = append(links, link{Link: l, Current: isIndex || l.Address == name})
	}
	var page bytes.Buffer
	err = layout.Execute(&page, map[string]any{"Example": s.Example, "Links": links, "Data": s.Data})
	return page.Bytes(), err
}

// guard serves files with a Content-Security-Policy. A page may load only its own files, and
// connect only to its own server and the store. If the store were missing in the policy, the
// browser would block uploads, which looks like a missing CORS rule.
func (s *Site) guard(files map[string]file) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", s.policy(r.Context()))
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		f, ok := files[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		default:
			h.Set("Content-Type", f.contentType)
			_, _ = w.Write(f.content)
		}
	})
}

// policy returns the Content-Security-Policy of all pages. Scripts must come from the site itself. Only
// images and requests may use the origins of the store.
func (s *Site) policy(ctx context.Context) string {
	sources := "'self'"
	if s.Origins != nil {
		sources = strings.Join(append([]string{sources}, s.Origins(ctx)...), " ")
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src " + sources,
		"connect-src " + sources,
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	}, "; ")
}
