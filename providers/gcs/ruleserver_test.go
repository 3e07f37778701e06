package gcs_test

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A ruleServer implements the rules that Google documents and fake-gcs-server
// does not: conditions, generations, sessions that ignore repeated bytes,
// checksums, compositions of 32. It has no permissions and checks no signatures.
type ruleServer struct {
	*httptest.Server

	mu       sync.Mutex
	buckets  map[string]*ruleBucket
	sessions map[string]*ruleSession
	clock    int64 // the last generation or session
	asked    []string
	// beforePatch changes an object once, before a patch, as another client would.
	beforePatch func(*ruleObject)
	cache       ruleCache
	kind        ruleKind // of all buckets; may be nil
}

type ruleBucket struct {
	name               string
	class              string // of objects that name none; the default is STANDARD
	versioned, uniform bool
	locking            bool            // objects can have a retention
	public             bool            // everyone can read
	folders            map[string]bool // of a hierarchical namespace; nil means a flat one
	holding            bool            // new objects have an event-based hold
	released           bool            // which ends at once, but for the parts of uploads
	retention          time.Duration   // of every object
	prevented          bool            // public access
	resource           ruleResource
	objects            []*ruleObject // in the order of writing
	removed            []*ruleObject // soft-deleted, in the order of removal
}

// A ruleObject is one generation.
type ruleObject struct {
	Kind               string            `json:"kind"`
	ID                 string            `json:"id"`
	Bucket             string            `json:"bucket"`
	SelfLink           string            `json:"selfLink"`
	MediaLink          string            `json:"mediaLink"`
	Name               string            `json:"name"`
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	CRC32C             string            `json:"crc32c,omitempty"`
	ruleControls

	Generation     string `json:"generation"`
	Metageneration string `json:"metageneration"`
	Etag           string `json:"etag"`
	Size           string `json:"size"`
	MD5Hash        string `json:"md5Hash,omitempty"`
	TimeCreated    string `json:"timeCreated"`
	Updated        string `json:"updated"`
	TimeFinalized  string `json:"timeFinalized"`
	TimeClassified string `json:"timeStorageClassUpdated"`
	TimeDeleted    string `json:"timeDeleted,omitempty"`
	SoftDeleteTime string `json:"softDeleteTime,omitempty"`
	HardDeleteTime string `json:"hardDeleteTime,omitempty"`

	data []byte
	key  string // the customer's key that encrypts it, in base64
}

func (o *ruleObject) live() bool { return o.TimeDeleted == "" }

func startRuleServer(t *testing.T) *ruleServer {
	t.Helper()
	s := newRuleServer()
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// newRuleServer returns a server that is not started.
func newRuleServer() *ruleServer {
	return &ruleServer{
		buckets:  map[string]*ruleBucket{},
		sessions: map[string]*ruleSession{},
		clock:    time.Now().UnixMicro(),
	}
}

func (s *ruleServer) bucket(b ruleBucket) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("rules-%d", len(s.buckets)+1)
	s.add(name, &b)
	return name
}

func (s *ruleServer) add(name string, b *ruleBucket) {
	if s.kind != nil {
		s.kind(b)
	}
	b.name = name
	s.buckets[name] = b
}

// names returns the keys of all objects, including the driver's intermediate
// ones.
func (s *ruleServer) names(bucket string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, o := range s.buckets[bucket].objects {
		names = append(names, o.Name)
	}
	return names
}

// requests returns how many requests there were since the last call.
func (s *ruleServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.asked
	s.asked = nil
	return requests
}

// A refusal is an error response of a handler.
type refusal struct {
	status               int
	reason, words, xmlIs string
}

var (
	missingBucket = &refusal{404, "notFound", "The specified bucket does not exist.", "NoSuchBucket"}
	failed        = &refusal{412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.", "PreconditionFailed"}
	unchanged     = &refusal{304, "notModified", "", ""}
)

func missingObject(bucket, key string) *refusal {
	return &refusal{404, "notFound", "No such object: " + bucket + "/" + key, "NoSuchKey"}
}

func bad(words string) *refusal { return &refusal{400, "invalid", words, "InvalidArgument"} }

func (s *ruleServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range path {
		path[i], _ = url.PathUnescape(path[i])
	}
	body, broken := readAll(r) // before the lock: a client may be slow
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	w.Header().Set("X-Guploader-Uploadid", "request-id")
	if path[0] == "storage" || path[0] == "upload" {
		w.Header()["Vary"] = []string{"Origin", "X-Origin"}
		w.Header().Set("Cache-Control", "private, max-age=0, must-revalidate, no-transform")
		if r.Method != http.MethodGet {
			setUncached(w.Header())
		}
	}
	switch {
	case path[0] == "storage":
		s.serveJSON(w, r, path[2:], body)
	case path[0] == "upload":
		s.serveUpload(w, r, path[4], body, broken)
	default:
		key, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"+path[0]+"/"))
		s.serveXML(w, r, path[0], key)
	}
}

func readAll(r *http.Request) (body []byte, broken bool) {
	var b bytes.Buffer
	b.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead) // growing costs the race detector most
	_, err := b.ReadFrom(r.Body)
	return b.Bytes(), err != nil
}

// serveJSON handles "b" and "b/BUCKET/o/OBJECT…".
func (s *ruleServer) serveJSON(w http.ResponseWriter, r *http.Request, path []string, body []byte) {
	if len(path) == 1 {
		answer, no := s.serveBuckets(r, body)
		writeJSON(w, answer, no)
		return
	}
	b := s.buckets[path[1]]
	var answer any
	var no *refusal
	switch {
	case b == nil:
		no = missingBucket
	case len(path) == 2:
		answer, no = s.serveBucket(r, path[1], body)
		if answer == nil && no == nil {
			writeNothing(w)
			return
		}
	case path[2] == "iam":
		answer, no = b.servePolicy(r, body)
	case path[2] == "storageLayout":
		answer = map[string]any{"kind": "storage#storageLayout", "bucket": path[1], "hierarchicalNamespace": map[string]bool{"enabled": b.folders != nil}}
	case path[2] == "folders":
		no = b.removeFolder(path[3])
		if no == nil {
			writeNothing(w)
			return
		}
	case len(path) == 3:
		answer = b.list(r.URL.Query())
	case len(path) == 4 && r.Method == http.MethodGet:
		var o *ruleObject
		media := r.URL.Query().Get("alt") == "media"
		if media && s.serveCached(w, r) {
			return
		}
		o, no = b.get(path[1], path[3], r.URL.Query())
		if no == nil && media {
			no = o.opensWith(r.Header, "")
			if no == nil {
				s.keepCached(r, b, o).serve(w, r)
				return
			}
		}
		answer = o.as(r.Header)
	case len(path) == 4 && r.Method == http.MethodPatch:
		if f := s.beforePatch; f != nil {
			s.beforePatch = nil
			f(b.find(path[3], ""))
		}
		answer, no = b.patch(path[1], path[3], r, body)
	case len(path) == 4 && r.Method == http.MethodDelete:
		no = b.remove(path[1], path[3], r.URL.Query())
		if no == nil {
			writeNothing(w)
			return
		}
	case path[4] == "rewriteTo":
		answer, no = s.rewrite(path, r, body)
	case path[4] == "moveTo":
		answer, no = s.move(b, path, r)
	case path[4] == "restore":
		answer, no = s.restore(b, path, r)
	case path[4] == "compose":
		answer, no = s.compose(path[1], path[3], r, body)
	}
	writeJSON(w, answer, no)
}

func writeJSON(w http.ResponseWriter, answer any, no *refusal) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	if no == nil {
		if o, isObject := answer.(*ruleObject); isObject {
			h.Set("Etag", o.Etag)
		}
		_ = json.NewEncoder(w).Encode(answer)
		return
	}
	setUncached(h)
	w.WriteHeader(no.status)
	if no.status == http.StatusNotModified {
		return
	}
	detail := map[string]string{"domain": "global", "reason": no.reason, "message": no.words}
	if no == failed {
		detail["locationType"] = "header"
		detail["location"] = "If-Match"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code":    no.status,
		"message": no.words,
		"errors":  []map[string]string{detail},
	}})
}

// setUncached sets the headers of the JSON API for changes and for errors.
func setUncached(h http.Header) {
	h.Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	h.Set("Pragma", "no-cache")
}

// writeNothing responds to a removal.
func writeNothing(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNoContent)
}

// describe sets what a resource says beside the properties of its object.
func (o *ruleObject) describe(bucket string) {
	o.Kind = "storage#object"
	o.Bucket = bucket
	o.ID = bucket + "/" + o.Name + "/" + o.Generation
	path := "storage/v1/b/" + bucket + "/o/" + url.PathEscape(o.Name)
	o.SelfLink = "https://www.googleapis.com/" + path
	o.MediaLink = "https://storage.googleapis.com/download/" + path + "?generation=" + o.Generation + "&alt=media"
}

// find returns a generation, or the live one for "".
func (b *ruleBucket) find(key, generation string) *ruleObject {
	for _, o := range b.objects {
		if o.Name == key && (generation == "" && o.live() || generation == o.Generation) {
			return o
		}
	}
	return nil
}

// holds evaluates the conditions of a request.
func holds(query url.Values, prefix string, object *ruleObject) bool {
	current := "0"
	if object != nil {
		current = object.Generation
	}
	if query.Has(prefix+"MetagenerationMatch") && (object == nil || query.Get(prefix+"MetagenerationMatch") != object.Metageneration) {
		return false
	}
	return !query.Has(prefix+"GenerationMatch") || query.Get(prefix+"GenerationMatch") == current
}

func (b *ruleBucket) get(bucket, key string, query url.Values) (*ruleObject, *refusal) {
	o := b.find(key, query.Get("generation"))
	switch {
	case o == nil:
		return nil, missingObject(bucket, key)
	case !holds(query, "if", o):
		return nil, failed
	case query.Get("ifGenerationNotMatch") == o.Generation:
		return nil, unchanged
	}
	return o, nil
}

func (b *ruleBucket) remove(bucket, key string, query url.Values) *refusal {
	o := b.find(key, query.Get("generation"))
	if o == nil {
		return missingObject(bucket, key)
	}
	if !holds(query, "if", o) {
		return failed
	}
	if query.Get("ifMetagenerationNotMatch") == o.Metageneration {
		return unchanged
	}
	if o.kept(bucket, b.versioned && !query.Has("generation")) != nil {
		return o.kept(bucket, b.versioned && !query.Has("generation"))
	}
	if b.versioned && !query.Has("generation") {
		o.TimeDeleted = time.Now().UTC().Format(time.RFC3339Nano)
		return nil
	}
	b.drop(o)
	return nil
}

// makeFolders makes the folders of a new object, which stay when it is removed.
// https://cloud.google.com/storage/docs/folders-overview
func (b *ruleBucket) makeFolders(key string) {
	for i := range key {
		if b.folders != nil && key[i] == '/' {
			b.folders[key[:i+1]] = true
		}
	}
}

func (b *ruleBucket) removeFolder(name string) *refusal {
	for _, o := range b.objects {
		if strings.HasPrefix(o.Name, name) {
			return &refusal{409, "conflict", "The folder you tried to delete is not empty.", ""}
		}
	}
	if !b.folders[name] {
		return &refusal{404, "notFound", "The folder does not exist.", ""}
	}
	delete(b.folders, name)
	return nil
}

func (b *ruleBucket) drop(object *ruleObject) {
	for i, o := range b.objects {
		if o == object {
			b.objects = append(b.objects[:i:i], b.objects[i+1:]...)
			b.softDelete(o)
			return
		}
	}
}

// insert makes o the live generation of its name if the condition holds and the
// checksum matches.
func (s *ruleServer) insert(b *ruleBucket, o *ruleObject, query url.Values, data []byte, composed bool) *refusal {
	existing := b.find(o.Name, "")
	crc := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))))
	sum := md5.Sum(data)
	if o.Name == "" {
		return &refusal{status: 400, reason: "required", words: "No object name"}
	}
	if b.refusedName(o.Name) != nil {
		return b.refusedName(o.Name)
	}
	if !holds(query, "if", existing) {
		return failed
	}
	if o.CRC32C != "" && o.CRC32C != crc {
		return bad(fmt.Sprintf("Provided CRC32C %q doesn't match calculated CRC32C %q.", o.CRC32C, crc))
	}
	if o.MD5Hash != "" && o.MD5Hash != base64.StdEncoding.EncodeToString(sum[:]) {
		return bad(fmt.Sprintf("Provided MD5 hash %q doesn't match calculated MD5 hash.", o.MD5Hash))
	}
	if existing != nil && existing.kept("bucket", b.versioned) != nil {
		return existing.kept("bucket", b.versioned)
	}
	if o.refused(b) != nil {
		return o.refused(b)
	}
	if b.uniform && (query.Has("predefinedAcl") || query.Has("destinationPredefinedAcl")) {
		return bad("Cannot insert legacy ACL for an object when uniform bucket-level access is enabled.")
	}
	s.clock++

	o.Metageneration = "1"
	o.keep(b)
	b.makeFolders(o.Name)
	o.encrypt(query)
	o.Generation = strconv.FormatInt(s.clock, 10)
	o.CRC32C = crc
	o.data = data
	o.Etag = base64.StdEncoding.EncodeToString([]byte(o.Generation))
	o.Size = strconv.Itoa(len(data))
	o.TimeCreated = time.Now().UTC().Format(time.RFC3339Nano)
	o.TimeDeleted = ""
	o.Updated = o.TimeCreated
	o.TimeFinalized = o.TimeCreated
	o.TimeClassified = o.TimeCreated
	o.describe(b.name)
	if o.StorageClass == "" {
		o.StorageClass = cmp.Or(b.class, "STANDARD")
	}
	o.MD5Hash = ""
	if !composed {
		o.MD5Hash = base64.StdEncoding.EncodeToString(sum[:])
	}
	if existing != nil && b.versioned {
		existing.TimeDeleted = o.TimeCreated
	} else if existing != nil {
		b.drop(existing)
	}
	b.objects = append(b.objects, o)
	return nil
}
