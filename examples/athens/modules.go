package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
)

// Modules is the handler that Athens asks. A version of a module is three objects: MODULE/@v/VERSION with .info, .mod
// and .zip. A version exists if its .info does. So that is the last one to be stored, and the first one to be removed.
// Nobody ever sees a part of a version, except after it was saved while it was removed, until Athens saves it again.
type modules struct{ bucket storage.Bucket }

// maxText is the largest size of a go.mod or an .info, in bytes.
const maxText = 16 << 20

// ServeHTTP lists, reads, saves or removes versions of a module, as the path and the method of the
// request say.
func (m modules) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	module, file, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/@v/")
	if !ok {
		http.NotFound(w, r)
		return
	}

	version := module + "/@v/" + strings.TrimSuffix(file, path.Ext(file))
	var err error
	switch r.Method + " " + path.Ext(file) {
	case "GET ":
		err = m.list(w, r, module, file)
	case "GET .info", "GET .mod", "GET .zip":
		// read also sends the response to an error.
		m.read(w, r, module+"/@v/"+file)
	case "POST .save":
		err = m.save(r, version)
	case "DELETE .delete":
		err = m.remove(r.Context(), version)
	default:
		http.Error(w, "there is no such operation", http.StatusMethodNotAllowed)
		return
	}
	if err != nil {
		sendError(w, err)
	}
}

// sendError sends the response for an error.
func sendError(w http.ResponseWriter, err error) { http.Error(w, err.Error(), statusOf(err)) }

// statusOf returns the status of an error. Athens fetches a module only if its version is missing (404).
func statusOf(err error) int {
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound:
		return http.StatusNotFound
	case storage.InvalidArgument, storage.BodyFailed:
		return http.StatusBadRequest
	}
	return http.StatusBadGateway
}

// list writes the versions of a module, one a line.
func (m modules) list(w http.ResponseWriter, r *http.Request, module, file string) error {
	if file != "list" {
		return &storage.Error{Code: storage.ObjectNotFound, Key: module + "/@v/" + file}
	}
	prefix := module + "/@v/"
	var versions []string
	for entry, err := range m.bucket.List(r.Context(), storage.WithPrefix(prefix), storage.WithDelimiter("/")) {
		if err != nil {
			return err
		}
		if version, ok := strings.CutSuffix(strings.TrimPrefix(entry.Key, prefix), ".info"); ok {
			versions = append(versions, version)
		}
	}
	_, err := io.WriteString(w, strings.Join(versions, "\n"))
	return err
}

// read responds with an object. If it cannot be read to its end, the response is cut off, so that Athens does not take a
// part for the whole.
func (m modules) read(w http.ResponseWriter, r *http.Request, key string) {
	serve.Object(w, r, m.bucket, key, serve.WithErrorHandler(
		func(w http.ResponseWriter, _ *http.Request, _ int, err error) {
			sendError(w, err)
		}))
}

// extensions are the extensions of the objects of a version. The first one is that of the object with which the version
// exists.
var extensions = []string{".info", ".mod", ".zip"}

// save stores a version. If it is there as a whole, it stays, because a version of a module never changes.
func (m modules) save(r *http.Request, version string) error {
	isComplete, err := m.isWhole(r.Context(), version)
	if err != nil {
		return err
	}

	if isComplete {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}

	texts, err := m.saveForm(r, version)
	if err != nil {
		return err
	}
	// If Athens cannot read a module, it ends the form as if the module had ended, and then breaks the request off.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return invalid(err)
	}
	for _, name := range []string{"mod.info", "mod.mod", "mod.zip"} {
		if _, ok := texts[name]; !ok {
			return invalid(fmt.Errorf("the form has no %s", name))
		}
	}

	// The version exists with its .info, so that comes last.
	if _, err := m.bucket.Upload(r.Context(), version+".mod", bytes.NewReader(texts["mod.mod"])); err != nil {
		return err
	}
	_, err = m.bucket.Upload(r.Context(), version+".info", bytes.NewReader(texts["mod.info"]))
	return err
}

// saveForm reads the form in a request. It stores the part mod.zip, which may be large, and returns the contents of the
// other parts by their names. The content of mod.zip is nil.
func (m modules) saveForm(r *http.Request, version string) (map[string][]byte, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, invalid(err)
	}

	texts := map[string][]byte{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err != nil {
			return nil, invalid(err)
		}

		name := part.FormName()
		if name == "mod.zip" {
			texts[name] = nil
			if _, err := m.bucket.Upload(r.Context(), version+".zip", part); err != nil {
				return nil, err
			}
			continue
		}
		texts[name], err = readText(part)
		if err != nil {
			return nil, err
		}
	}
}

// isWhole reports whether all objects of a version exist.
func (m modules) isWhole(ctx context.Context, version string) (bool, error) {
	for _, extension := range extensions {
		exists, err := m.bucket.Exists(ctx, version+extension)
		if err != nil || !exists {
			return false, err
		}
	}
	return true, nil
}

// readText returns the content of a small part.
func readText(part *multipart.Part) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(part, maxText+1))
	if err != nil {
		return nil, invalid(err)
	}
	if len(text) > maxText {
		return nil, invalid(fmt.Errorf("%s is too large", part.FormName()))
	}
	return text, nil
}

// invalid returns the error for a request that is wrong or incomplete.
func invalid(err error) error { return &storage.Error{Code: storage.InvalidArgument, Err: err} }

// remove removes a version.
func (m modules) remove(ctx context.Context, version string) error {
	exists, err := m.bucket.Exists(ctx, version+".info")
	if err != nil {
		return err
	}
	if !exists {
		return &storage.Error{Code: storage.ObjectNotFound, Key: version}
	}
	for _, extension := range extensions {
		if err := m.bucket.Remove(ctx, version+extension); err != nil {
			return err
		}
	}
	return nil
}
