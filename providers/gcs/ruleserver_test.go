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

// A ruleServer implements rules that Google documents and fake-gcs-server lacks: conditions,
// generations, sessions that ignore repeated bytes, checksums, and a limit of 32 sources for a
// composition. It has no permissions and checks no signatures.
type ruleServer struct {
	*httptest.Server

	mu           sync.Mutex
	buckets      map[string]*ruleBucket
	sessions     map[string]*ruleSession
	clock        int64 // the last generation or session
	requestLines []string
	// beforePatch changes an object once, before a patch, as another client would.
	beforePatch func(*ruleObject)
	cache       ruleCache
	kind        ruleKind // of all buckets; may be nil
}

// A ruleBucket is a bucket with its settings and objects.
type ruleBucket struct {
	name      string
	class     string          // of objects that name none; the default is STANDARD
	versioned bool            // keeps noncurrent generations
	uniform   bool            // refuses the access lists of objects
	locking   bool            // objects can have a retention
	public    bool            // everyone can read
	folders   map[string]bool // of a hierarchical namespace; nil means a flat one
	holding   bool            // new objects have an event-based hold
	released  bool            // the hold ends at once, but for the parts of uploads
	retention time.Duration   // of every object
	prevented bool            // public access is prevented
	resource  ruleResource
	objects   []*ruleObject // in the order of writing
	removed   []*ruleObject // soft-deleted, in the order of removal
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

// live reports whether o is the current generation of its key.
func (o *ruleObject) live() bool { return o.TimeDeleted == "" }

// startRuleServer starts a server without buckets. The server stops when the test ends.
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

// bucket adds a bucket, and returns its name.
func (s *ruleServer) bucket(b ruleBucket) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("rules-%d", len(s.buckets)+1)
	s.add(name, &b)
	return name
}

// add adds a bucket of the server's kind. The caller holds mu.
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

// requests returns the requests since the last call of this method, such as "GET /storage/v1/b".
func (s *ruleServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requestLines
	s.requestLines = nil
	return requests
}

// A refusal is an error response of a handler.
type refusal struct {
	status  int
	reason  string // of the JSON API
	message string
	xmlCode string // of the XML API
}

var (
	missingBucket = &refusal{
		status:  http.StatusNotFound,
		reason:  "notFound",
		message: "The specified bucket does not exist.",
		xmlCode: "NoSuchBucket",
	}
	conditionNotMet = &refusal{
		status:  http.StatusPreconditionFailed,
		reason:  "conditionNotMet",
		message: "At least one of the pre-conditions you specified did not hold.",
		xmlCode: "PreconditionFailed",
	}
	notModified = &refusal{status: http.StatusNotModified, reason: "notModified"}
)

// missingObject returns the error for a missing object.
func missingObject(bucket, key string) *refusal {
	return &refusal{
		status:  http.StatusNotFound,
		reason:  "notFound",
		message: "No such object: " + bucket + "/" + key,
		xmlCode: "NoSuchKey",
	}
}

// invalidArgument returns the error for an invalid request.
func invalidArgument(message string) *refusal {
	return &refusal{
		status:  http.StatusBadRequest,
		reason:  "invalid",
		message: message,
		xmlCode: "InvalidArgument",
	}
}

// ServeHTTP handles the requests of both APIs.
func (s *ruleServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range path {
		path[i], _ = url.PathUnescape(path[i]) // net/http has refused an invalid path
	}
	body, broken := readAll(r) // before the lock, because a client may be slow

	s.mu.Lock()
	defer s.mu.Unlock()
	s.requestLines = append(s.requestLines, r.Method+" "+r.URL.Path)
	header := w.Header()
	header.Set("X-Guploader-Uploadid", "request-id")
	isJSON := path[0] == "storage" || path[0] == "upload"
	if isJSON {
		header["Vary"] = []string{"Origin", "X-Origin"}
		header.Set("Cache-Control", "private, max-age=0, must-revalidate, no-transform")
	}
	if isJSON && r.Method != http.MethodGet {
		setUncached(header)
	}

	switch path[0] {
	case "storage": // storage/v1/b…
		s.serveJSON(w, r, path[2:], body)
	case "upload": // upload/storage/v1/b/BUCKET/o
		s.serveUpload(w, r, path[4], body, broken)
	default: // BUCKET/KEY, whose key may have slashes
		key, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"+path[0]+"/"))
		s.serveXML(w, r, path[0], key)
	}
}

// readAll reads the body. If the connection breaks, it returns the bytes that have arrived, and
// true.
func readAll(r *http.Request) (body []byte, broken bool) {
	var buf bytes.Buffer
	buf.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead) // growing costs the race detector most
	_, err := buf.ReadFrom(r.Body)
	return buf.Bytes(), err != nil
}

// serveJSON handles "b", "b/BUCKET" and what is below a bucket.
func (s *ruleServer) serveJSON(w http.ResponseWriter, r *http.Request, path []string, body []byte) {
	if len(path) == 1 {
		answer, problem := s.serveBuckets(r, body)
		writeJSON(w, answer, problem)
		return
	}
	b := s.buckets[path[1]]
	if b == nil {
		writeJSON(w, nil, missingBucket)
		return
	}

	switch {
	case len(path) == 2:
		answer, problem := s.serveBucket(r, path[1], body)
		if answer == nil && problem == nil {
			writeNothing(w)
			return
		}
		writeJSON(w, answer, problem)
	case path[2] == "iam":
		answer, problem := b.servePolicy(r, body)
		writeJSON(w, answer, problem)
	case path[2] == "storageLayout":
		writeJSON(w, map[string]any{
			"kind":                  "storage#storageLayout",
			"bucket":                path[1],
			"hierarchicalNamespace": map[string]bool{"enabled": b.folders != nil},
		}, nil)
	case path[2] == "folders":
		writeRemoval(w, b.removeFolder(path[3]))
	case len(path) == 3:
		writeJSON(w, b.list(r.URL.Query()), nil)
	case len(path) == 4:
		s.serveObject(w, r, b, path, body)
	default:
		answer, problem := s.serveMethod(b, r, path, body)
		writeJSON(w, answer, problem)
	}
}

// serveObject handles "b/BUCKET/o/OBJECT".
func (s *ruleServer) serveObject(w http.ResponseWriter, r *http.Request, b *ruleBucket, path []string, body []byte) {
	bucket, key := path[1], path[3]
	query := r.URL.Query()
	switch r.Method {
	case http.MethodGet:
		if query.Get("alt") == "media" {
			s.serveMedia(w, r, b, path)
			return
		}
		o, problem := b.get(bucket, key, query)
		writeJSON(w, o.as(r.Header), problem)
	case http.MethodPatch:
		if change := s.beforePatch; change != nil {
			s.beforePatch = nil
			change(b.find(key, ""))
		}
		answer, problem := b.patch(bucket, key, r, body)
		writeJSON(w, answer, problem)
	case http.MethodDelete:
		writeRemoval(w, b.remove(bucket, key, query))
	default:
		writeJSON(w, nil, nil)
	}
}

// serveMedia handles a read of the bytes of "b/BUCKET/o/OBJECT".
func (s *ruleServer) serveMedia(w http.ResponseWriter, r *http.Request, b *ruleBucket, path []string) {
	if s.serveCached(w, r) {
		return
	}
	o, problem := b.get(path[1], path[3], r.URL.Query())
	if problem == nil {
		problem = o.checkKey(r.Header, "")
	}
	if problem != nil {
		writeJSON(w, nil, problem)
		return
	}
	s.keepCached(r, b, o).serve(w, r)
}

// serveMethod handles "b/BUCKET/o/OBJECT/METHOD…".
func (s *ruleServer) serveMethod(b *ruleBucket, r *http.Request, path []string, body []byte) (any, *refusal) {
	switch path[4] {
	case "rewriteTo":
		return s.rewrite(path, r, body)
	case "moveTo":
		return s.move(b, path, r)
	case "restore":
		return s.restore(b, path, r)
	case "compose":
		return s.compose(path[1], path[3], r, body)
	}
	return nil, nil
}

// writeJSON responds with a document, or with an error if problem is not nil. A client that has
// gone gets no response, so errors of writing are ignored.
func writeJSON(w http.ResponseWriter, answer any, problem *refusal) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if problem != nil {
		writeJSONError(w, problem)
		return
	}
	if o, isObject := answer.(*ruleObject); isObject {
		w.Header().Set("Etag", o.Etag)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// writeJSONError responds with an error as the JSON API sends it.
func writeJSONError(w http.ResponseWriter, problem *refusal) {
	setUncached(w.Header())
	w.WriteHeader(problem.status)
	if problem.status == http.StatusNotModified {
		return // has no body
	}

	detail := map[string]string{"domain": "global", "reason": problem.reason, "message": problem.message}
	if problem == conditionNotMet {
		detail["locationType"] = "header"
		detail["location"] = "If-Match"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code":    problem.status,
		"message": problem.message,
		"errors":  []map[string]string{detail},
	}})
}

// setUncached sets the headers of the JSON API for changes and for errors.
func setUncached(h http.Header) {
	h.Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	h.Set("Pragma", "no-cache")
}

// writeNothing responds to a removal with an empty body.
func writeNothing(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNoContent)
}

// writeRemoval writes the response to a removal, or an error if problem is not nil.
func writeRemoval(w http.ResponseWriter, problem *refusal) {
	if problem != nil {
		writeJSON(w, nil, problem)
		return
	}
	writeNothing(w)
}

// describe sets the fields of the JSON resource that follow from the object's name, such as its ID and its links.
func (o *ruleObject) describe(bucket string) {
	o.Kind = "storage#object"
	o.Bucket = bucket
	o.ID = bucket + "/" + o.Name + "/" + o.Generation
	path := "storage/v1/b/" + bucket + "/o/" + url.PathEscape(o.Name)
	o.SelfLink = "https://www.googleapis.com/" + path
	o.MediaLink = "https://storage.googleapis.com/download/" + path + "?generation=" + o.Generation + "&alt=media"
}

// find returns a generation of a key, or the live generation if the argument is "".
func (b *ruleBucket) find(key, generation string) *ruleObject {
	for _, o := range b.objects {
		if o.Name != key {
			continue
		}
		if generation == o.Generation || generation == "" && o.live() {
			return o
		}
	}
	return nil
}

// conditionHolds evaluates the conditions of a request. prefix is "if" or "ifSource". If the object
// is missing, object is nil and the generation is 0.
func conditionHolds(query url.Values, prefix string, object *ruleObject) bool {
	if name := prefix + "MetagenerationMatch"; query.Has(name) {
		if object == nil || query.Get(name) != object.Metageneration {
			return false
		}
	}
	if name := prefix + "GenerationMatch"; query.Has(name) {
		generation := "0"
		if object != nil {
			generation = object.Generation
		}
		return query.Get(name) == generation
	}
	return true
}

// get returns the object that a request names, if the conditions of the request hold.
func (b *ruleBucket) get(bucket, key string, query url.Values) (*ruleObject, *refusal) {
	o := b.find(key, query.Get("generation"))
	switch {
	case o == nil:
		return nil, missingObject(bucket, key)
	case !conditionHolds(query, "if", o):
		return nil, conditionNotMet
	case query.Get("ifGenerationNotMatch") == o.Generation:
		return nil, notModified
	}
	return o, nil
}

// remove handles objects.delete. If the bucket keeps versions, the current generation becomes noncurrent.
func (b *ruleBucket) remove(bucket, key string, query url.Values) *refusal {
	o := b.find(key, query.Get("generation"))
	if o == nil {
		return missingObject(bucket, key)
	}
	if !conditionHolds(query, "if", o) {
		return conditionNotMet
	}
	if query.Get("ifMetagenerationNotMatch") == o.Metageneration {
		return notModified
	}
	archives := b.versioned && !query.Has("generation")
	if problem := o.lockRefusal(bucket, archives); problem != nil {
		return problem
	}

	if archives {
		o.TimeDeleted = time.Now().UTC().Format(time.RFC3339Nano)
		return nil
	}
	b.drop(o)
	return nil
}

// makeFolders makes the folders of a new object. They stay when the object is removed.
// https://cloud.google.com/storage/docs/folders-overview
func (b *ruleBucket) makeFolders(key string) {
	if b.folders == nil {
		return
	}
	for i := range key {
		if key[i] == '/' {
			b.folders[key[:i+1]] = true
		}
	}
}

// removeFolder handles folders.delete, which refuses a folder that has objects.
func (b *ruleBucket) removeFolder(name string) *refusal {
	for _, o := range b.objects {
		if strings.HasPrefix(o.Name, name) {
			return &refusal{
				status:  http.StatusConflict,
				reason:  "conflict",
				message: "The folder you tried to delete is not empty.",
			}
		}
	}
	if !b.folders[name] {
		return &refusal{status: http.StatusNotFound, reason: "notFound", message: "The folder does not exist."}
	}
	delete(b.folders, name)
	return nil
}

// drop removes a generation, and soft-deletes it.
func (b *ruleBucket) drop(object *ruleObject) {
	for i, o := range b.objects {
		if o == object {
			b.objects = append(b.objects[:i:i], b.objects[i+1:]...)
			b.softDelete(o)
			return
		}
	}
}

// insert makes o the live generation of its name if the condition holds and the checksums match. A composed object
// gets no MD5.
func (s *ruleServer) insert(b *ruleBucket, o *ruleObject, query url.Values, data []byte, composed bool) *refusal {
	existing := b.find(o.Name, "")
	crc := encodeCRC32C(data)
	sum := md5.Sum(data)
	md5Hash := base64.StdEncoding.EncodeToString(sum[:])

	if o.Name == "" {
		return &refusal{status: http.StatusBadRequest, reason: "required", message: "No object name"}
	}
	if problem := b.nameRefusal(o.Name); problem != nil {
		return problem
	}
	if !conditionHolds(query, "if", existing) {
		return conditionNotMet
	}
	if o.CRC32C != "" && o.CRC32C != crc {
		return invalidArgument(fmt.Sprintf("Provided CRC32C %q doesn't match calculated CRC32C %q.", o.CRC32C, crc))
	}
	if o.MD5Hash != "" && o.MD5Hash != md5Hash {
		return invalidArgument(fmt.Sprintf("Provided MD5 hash %q doesn't match calculated MD5 hash.", o.MD5Hash))
	}
	if existing != nil {
		if problem := existing.lockRefusal("bucket", b.versioned); problem != nil {
			return problem
		}
	}
	if problem := o.controlsRefusal(b); problem != nil {
		return problem
	}
	if b.uniform && (query.Has("predefinedAcl") || query.Has("destinationPredefinedAcl")) {
		return invalidArgument("Cannot insert legacy ACL for an object when uniform bucket-level access is enabled.")
	}

	s.clock++
	o.Generation = strconv.FormatInt(s.clock, 10)
	o.Metageneration = "1"
	o.Etag = base64.StdEncoding.EncodeToString([]byte(o.Generation))
	o.keep(b)
	b.makeFolders(o.Name)
	o.encrypt(query)

	o.data = data
	o.Size = strconv.Itoa(len(data))
	o.CRC32C = crc
	o.MD5Hash = md5Hash
	if composed {
		o.MD5Hash = ""
	}
	if o.StorageClass == "" {
		o.StorageClass = cmp.Or(b.class, "STANDARD")
	}
	o.TimeCreated = time.Now().UTC().Format(time.RFC3339Nano)
	o.TimeDeleted = ""
	o.Updated = o.TimeCreated
	o.TimeFinalized = o.TimeCreated
	o.TimeClassified = o.TimeCreated
	o.describe(b.name)

	if existing != nil && b.versioned {
		existing.TimeDeleted = o.TimeCreated
	} else if existing != nil {
		b.drop(existing)
	}
	b.objects = append(b.objects, o)
	return nil
}

// encodeCRC32C returns the checksum of data as Google shows it.
func encodeCRC32C(data []byte) string {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}
