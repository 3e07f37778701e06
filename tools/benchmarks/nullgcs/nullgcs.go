// Package nullgcs is a null server, which stores nothing, with the protocol of Google Cloud
// Storage. It has the JSON API for uploads, attributes and listings, and the downloads of the XML
// API.
package nullgcs

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

// Requests are counted under these names.
const (
	Insert  = "insert"        // upload of the attributes and the content in one request
	Session = "begin session" // start of a resumable upload
	Chunk   = "chunk"         // part of a resumable upload
	Read    = "read"
	Attrs   = "attributes"
	List    = "list"
	Delete  = "delete"
)

const (
	jsonRoot   = "/storage/v1/b/"
	uploadRoot = "/upload/storage/v1/b/"
	generation = "1767366245000000"
	etag       = `"CMDh5aPW7pEDEAE="`
	uploadID   = "AHVrFxN0cmVhbSBvZiB1cGxvYWQgaWRz"
	md5Hash    = "mzz1NfJ3MclzQ0NkWjmFMg=="
)

// Service implements [nullserver.Service].
type Service struct{}

var _ nullserver.Service = Service{}

// Operation returns the name of the operation that a request makes. If the operation is unknown, it
// returns the method.
func (Service) Operation(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, uploadRoot) {
		return uploadOperation(r)
	}
	path, isJSON := strings.CutPrefix(r.URL.Path, jsonRoot)
	_, key, hasKey := strings.Cut(path, "/o/")
	if r.Method == http.MethodDelete {
		return Delete
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return r.Method
	}
	if !isJSON || r.URL.Query().Get("alt") == "media" {
		return Read
	}
	if hasKey && key != "" {
		return Attrs
	}
	if strings.HasSuffix(path, "/o") {
		return List
	}
	return r.Method + " bucket"
}

// uploadOperation returns the name of the operation of a request to the path for uploads.
func uploadOperation(r *http.Request) string {
	query := r.URL.Query()
	if query.Has("upload_id") && r.Method == http.MethodDelete {
		return Delete
	}
	if query.Has("upload_id") {
		return Chunk
	}
	if query.Get("uploadType") == "resumable" {
		return Session
	}
	return Insert
}

// Respond sends the response to an operation. It supports the operations that are constants of this
// package. The response to any other operation is an empty 200.
func (Service) Respond(w http.ResponseWriter, r *http.Request, operation string) {
	w.Header().Set("X-Guploader-Uploadid", uploadID)
	switch operation {
	case Insert:
		serveResource(w, nullserver.Size(r.URL.Query().Get("name")))
	case Session:
		beginSession(w, r)
	case Chunk:
		serveChunk(w, r)
	case Read:
		size := nullserver.Size(key(r.URL.Path))
		nullserver.ServeObject(w, r, r.Header.Get("Range"), size, objectHeader(size))
	case Attrs:
		serveResource(w, nullserver.Size(key(r.URL.Path)))
	case List:
		serveList(w, r.URL.Query())
	case Delete:
		w.WriteHeader(http.StatusNoContent)
	}
}

// key returns the key of an object in a path of the JSON API or the XML API.
func key(path string) string {
	if rest, ok := strings.CutPrefix(path, jsonRoot); ok {
		_, key, _ := strings.Cut(rest, "/o/")
		return key
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return key
}

func objectHeader(size int64) map[string]string {
	return map[string]string{
		"Etag":                           etag,
		"X-Goog-Generation":              generation,
		"X-Goog-Metageneration":          "1",
		"X-Goog-Hash":                    "crc32c=" + checksum(size),
		"X-Goog-Storage-Class":           "STANDARD",
		"X-Goog-Stored-Content-Encoding": "identity",
		"X-Goog-Stored-Content-Length":   fmt.Sprint(size),
	}
}

// checksum returns the CRC32C of an object with the given size, in the format of Google.
func checksum(size int64) string {
	if size < 0 {
		return ""
	}
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, nullserver.CRC32C(size)))
}

// serveResource sends the attributes of an object. They include no checksum, because the server
// does not keep the content.
func serveResource(w http.ResponseWriter, size int64) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	fmt.Fprintf(
		w,
		`{"kind":"storage#object","generation":%q,"metageneration":"1","contentType":"application/octet-stream",`+
			`"storageClass":"STANDARD","size":"%d","etag":"CMDh5aPW7pEDEAE=","timeCreated":%q,"updated":%q}`,
		generation,
		max(size, 0),
		updated,
		updated,
	)
}
