// Package nullazure is a null server, which stores nothing, with the protocol of Azure Blob
// Storage. The path of a request begins with the name of the account, as it does with Azure's
// emulator.
package nullazure

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

// Account is the account with which every path begins.
const Account = "benchmarks"

// These are names of operations from Azure's reference. Requests are counted under these names.
const (
	PutBlob           = "Put Blob"
	PutBlock          = "Put Block"
	PutBlockList      = "Put Block List"
	GetBlob           = "Get Blob"
	GetBlobProperties = "Get Blob Properties"
	DeleteBlob        = "Delete Blob"
	ListBlobs         = "List Blobs"
)

const etag = `"0x8DE49F1A3B5C7D9"`

// Service implements [nullserver.Service].
type Service struct{}

var _ nullserver.Service = Service{}

// Operation returns the name of the operation that a request makes. If the operation is unknown, it
// returns the method and comp.
func (Service) Operation(r *http.Request) string {
	query := r.URL.Query()
	component := query.Get("comp")
	if key(r.URL.Path) == "" {
		if component == "list" {
			return ListBlobs
		}
		return r.Method + " container " + component
	}

	switch r.Method + " " + component {
	case "PUT ":
		return PutBlob
	case "PUT block":
		return PutBlock
	case "PUT blocklist":
		return PutBlockList
	case "GET ":
		return GetBlob
	case "HEAD ":
		return GetBlobProperties
	case "DELETE ":
		return DeleteBlob
	}
	return r.Method + " blob " + component
}

// Respond sends the response to an operation. It supports the operations that are constants of this
// package.
func (Service) Respond(w http.ResponseWriter, r *http.Request, operation string) {
	header := w.Header()
	header.Set("X-Ms-Request-Id", "8c458f1f-9315-42dd-a71f-826c5d84555d")
	header.Set("X-Ms-Version", r.Header.Get("X-Ms-Version"))
	switch operation {
	case PutBlob, PutBlockList:
		header.Set("Etag", etag)
		header.Set("Last-Modified", nullserver.Modified)
		header.Set("X-Ms-Request-Server-Encrypted", "true")
		w.WriteHeader(http.StatusCreated)
	case PutBlock:
		header.Set("X-Ms-Request-Server-Encrypted", "true")
		w.WriteHeader(http.StatusCreated)
	case GetBlob, GetBlobProperties:
		size := nullserver.Size(key(r.URL.Path))
		byteRange := cmp.Or(r.Header.Get("X-Ms-Range"), r.Header.Get("Range"))
		nullserver.ServeObject(w, r, byteRange, size, objectHeader(size))
	case ListBlobs:
		serveList(w, r.URL.Query())
	case DeleteBlob:
		w.WriteHeader(http.StatusAccepted)
	}
}

// key returns the key of a blob: the path without the account and the container.
func key(path string) string {
	segments := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)
	if len(segments) < 3 {
		return ""
	}
	return segments[2]
}

// objectHeader returns the headers of an object. Its metadata includes the checksum under the name
// that our driver expects. For other clients, the checksum is just one more entry of the metadata.
func objectHeader(size int64) map[string]string {
	header := map[string]string{
		"Etag":                      etag,
		"X-Ms-Blob-Type":            "BlockBlob",
		"X-Ms-Creation-Time":        nullserver.Modified,
		"X-Ms-Lease-State":          "available",
		"X-Ms-Lease-Status":         "unlocked",
		"X-Ms-Server-Encrypted":     "true",
		"X-Ms-Access-Tier":          "Hot",
		"X-Ms-Access-Tier-Inferred": "true",
	}
	if size >= 0 {
		header["X-Ms-Meta-Omnibucket_crc32c"] = fmt.Sprintf("%08x-%d", nullserver.CRC32C(size), size)
	}
	return header
}
