package nulls3

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// countsPath tells the requests since the start, by operation; no bucket is
// called so.
const countsPath = "/-counts"

// counts are requests by operation, as S3 calls it.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) add(operation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[operation]++
}

func (c *counts) serve(w http.ResponseWriter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = json.NewEncoder(w).Encode(c.of)
}

// Counts asks a server, by its URL, for its requests so far.
func Counts(client *http.Client, server string) (map[string]int, error) {
	response, err := client.Get(server + countsPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	of := map[string]int{}
	return of, json.NewDecoder(response.Body).Decode(&of)
}

// operation is what S3 calls a request for bucket and key.
func operation(r *http.Request, key string, query url.Values) string {
	if key == "" {
		return bucketOperation(r.Method, query)
	}
	switch {
	case r.Method == http.MethodPut && query.Has("partNumber"):
		return "UploadPart"
	case r.Method == http.MethodPut:
		return "PutObject"
	case r.Method == http.MethodGet:
		return "GetObject"
	case r.Method == http.MethodHead:
		return "HeadObject"
	case r.Method == http.MethodPost && query.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == http.MethodPost:
		return "CompleteMultipartUpload"
	case query.Has("uploadId"):
		return "AbortMultipartUpload"
	}
	return "DeleteObject"
}

func bucketOperation(method string, query url.Values) string {
	switch {
	case method == http.MethodHead:
		return "HeadBucket"
	case method == http.MethodGet && query.Has("location"):
		return "GetBucketLocation"
	case method == http.MethodGet:
		return "ListObjectsV2"
	}
	return method + " bucket"
}

// split is a path's bucket and key.
func split(path string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return bucket, key
}
