package session

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/refusal"
)

// These are the kinds of sessions.
const (
	KindParts   = "parts"   // the S3 routes, a file in numbered parts
	KindSingle  = "single"  // the S3 routes, a file in one request
	KindTus     = "tus"     // tus, a file whose bytes arrive in order
	KindPartial = "partial" // tus, a piece of a file that is joined later
	KindFinal   = "final"   // tus, a file joined from pieces
	KindPieces  = "pieces"  // PutPiece, a file in pieces of any size and in any order
)

// These are the phases of a session, in order. The map nextPhases has the steps between them.
const (
	PhaseOpen       = ""           // bytes arrive
	PhaseCompleting = "completing" // all bytes have arrived; the object is being made
	PhaseStored     = "stored"     // the object exists; the record or Config.Stored may still be missing
	PhaseDone       = "done"
	PhaseAborted    = "aborted" // the objects of the upload are being removed
)

// nextPhases has the phases that may follow each phase. The method Save stores no other step, so a
// call that works with an old state cannot bring an upload back to an earlier phase.
var nextPhases = map[string][]string{
	// A file that arrives in one request, or whose bytes were only in memory, is never completing.
	PhaseOpen: {PhaseCompleting, PhaseStored, PhaseDone, PhaseAborted},
	// A part was replaced, so the session is open again. Or the file was refused.
	PhaseCompleting: {PhaseOpen, PhaseStored, PhaseDone, PhaseAborted},
	// The object may have been removed. A file in pieces then gets another key, and is made again.
	PhaseStored: {PhaseCompleting, PhaseDone, PhaseAborted},
	// Only a piece that is joined later can be aborted when it is done.
	PhaseDone:    {PhaseAborted},
	PhaseAborted: {},
}

// A Session is the state of one upload, which all processes share. It is stored as one text, which
// is replaced only if it has not changed since it was read.
type Session struct {
	Kind     string            `json:"kind"`
	Phase    string            `json:"phase,omitempty"`
	User     string            `json:"user"`
	Values   map[string]string `json:"values,omitempty"` // User.Values of the user
	Target   Target            `json:"target"`
	Name     string            `json:"name,omitempty"`
	Type     string            `json:"type,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Size     int64             `json:"size"` // bytes; -1 means unknown
	// token of the multipart upload in the store; "" if there is none yet
	Token    string    `json:"token,omitempty"`
	Staged   bool      `json:"staged,omitempty"` // true if the multipart upload is below Config.Prefix
	Reserved bool      `json:"reserved,omitempty"`
	Expires  time.Time `json:"expires"`
	// Location is the URL of the file that Config.Stored has set. If Location is "", Config.Link
	// determines the URL.
	Location string `json:"location,omitempty"`
	// Begun and Random become the time and the random bits in the key. They are only set if the key
	// is made after the content has arrived.
	Begun  time.Time `json:"begun,omitzero"`
	Random []byte    `json:"random,omitempty"`
	// Claim is the ID of the call that makes the object. Until ClaimedUntil, no other call makes
	// it.
	Claim        string    `json:"claim,omitempty"`
	ClaimedUntil time.Time `json:"claimedUntil,omitzero"`
	// Tried is true if any call has ever claimed the session. The object of the session may then
	// exist.
	Tried bool `json:"tried,omitempty"`

	PartSize int64 `json:"partSize,omitempty"`
	// ETags are the ETags of the parts that make the file. The client sends them when it completes
	// the upload. An ETag of "" matches any version of its part.
	ETags []string `json:"etags,omitempty"`
	// PartsSum is a hash of the list of parts with which the client completed the upload.
	PartsSum string `json:"partsSum,omitempty"`
	// Checked is true if the client sends the CRC32C of each part.
	Checked bool `json:"checked,omitempty"`
	// Proxied is true if parts pass through the handler. Secret is the key that signs their URLs.
	Proxied bool   `json:"proxied,omitempty"`
	Secret  string `json:"secret,omitempty"`

	Tus    *TusState   `json:"tus,omitempty"`
	Pieces *PieceState `json:"pieces,omitempty"`

	// Nonce is a random text. Without it, two equal states would have the same revision in a store
	// that derives revisions from the content.
	Nonce string `json:"nonce"`

	// The following fields are not stored.

	Dir      string   `json:"-"` // name of the upload's directory, below Config.Prefix
	ID       string   `json:"-"` // ID that the client uses; "" in Sweep
	Link     string   `json:"-"` // URL by Config.Link, made for each request; set once the session is done
	Revision string   `json:"-"`
	was      string   // phase in the stored state
	Arrival  *Arrival `json:"-"` // the bytes that arrive in the present request; nil unless Kind is KindSingle
	Again    bool     `json:"-"` // true if an earlier call had claimed the session before the present claim
	// A claim is an entry in the state, which says that a call uses the session. Overdue is the
	// revision of a state whose claim is ignored: nobody renewed that claim while this call waited.
	Overdue string `json:"-"`
}

// mayEnter reports whether the phase of the session may follow the phase in the stored state.
func (s *Session) mayEnter() bool {
	return s.Phase == s.was || slices.Contains(nextPhases[s.was], s.Phase)
}

// New returns a new session with a secret ID, without saving it.
func New(kind string, user User, n Request, target Target, expires time.Time) *Session {
	id := rand.Text()
	return &Session{
		Kind:     kind,
		User:     user.ID,
		Values:   user.Values,
		Target:   target,
		Name:     n.Name,
		Type:     n.Type,
		Metadata: n.Metadata,
		Size:     n.Size,
		Expires:  expires.UTC().Truncate(time.Second),
		Dir:      DirName(id),
		ID:       id,
	}
}

// IDLength is the length of an ID, which rand.Text makes.
const IDLength = 26

// IsID reports whether an ID has the form of those that New makes.
func IsID(id string) bool {
	return len(id) == IDLength && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// DirName returns the name of an upload's directory. It is a hash of the ID, because names of
// objects appear in logs and the ID is secret.
func DirName(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:20])
}

// IsDirName reports whether name has the form of those that DirName returns.
func IsDirName(name string) bool {
	return len(name) == len(DirName("")) && strings.Trim(name, "0123456789abcdef") == ""
}

// The names of the state and the objects of a session, in its directory.
const (
	StateName   = "state.json"
	ContentName = "content" // name of the object that Inspect reads, or that has the joined pieces
	TailPrefix  = "tail-"   // begins the name of a segment
	PiecePrefix = "piece-"
)

// The limits of what a client says about a file.
const (
	MaxMetadata      = 100
	MaxMetadataBytes = 8 << 10
)

// An Arrival is a file of KindSingle whose bytes arrive in the present request.
type Arrival struct {
	Size    int64 // in bytes, or -1 if it is not known
	MaxSize int64 // greatest permitted size in bytes; 0 means no limit. Package uploads sets it.
}

// Key returns the key of the file. As long as the key depends on content that has not arrived, it
// returns the ID of the session.
func (s *Session) Key() string { return cmp.Or(s.Target.Key, s.ID) }

// Limit returns how many bytes the file may have, or -1 if its size is not limited.
func (s *Session) Limit() int64 {
	if s.Size >= 0 {
		return s.Size
	}
	return cmp.Or(s.Target.MaxSize, -1)
}

// URL returns the URL of the file, or "" if it has none.
func (s *Session) URL() string { return cmp.Or(s.Location, s.Link) }

// Reservation returns the name of a session's reservation in the ledger of its user.
func (s *Session) Reservation() string {
	if s.Pieces != nil {
		return s.Dir + "-" + s.Pieces.Run
	}
	return s.Dir
}

// Arrived reports whether all bytes are stored, so that the object can be made.
func (s *Session) Arrived() bool {
	switch s.Kind {
	case KindParts, KindFinal, KindPieces:
		return true
	case KindSingle:
		// Its bytes arrive in the request that also makes the object.
		return false
	}

	// The bytes of all other kinds arrive in order, by tus.
	hasAllBytes := s.Size >= 0 && s.Tus.Offset == s.Size
	// Before a multipart upload is completed, the bytes in segments must become its last part.
	needsPart := s.Token != "" && len(s.Tus.Tail) > 0
	return hasAllBytes && !needsPart
}

// IsFinishing reports whether a call has begun to make the object of a session, and has not finished. Such a
// session must be finished before it can be aborted, because the object may exist already.
func (s *Session) IsFinishing() bool {
	return s.Kind != KindPartial && (s.Phase == PhaseCompleting || s.Phase == PhaseStored)
}

// SetStored sets the phase of a session whose object exists, and the size of that object in bytes.
func (s *Session) SetStored(phase string, size int64) {
	s.Phase = phase
	s.Size = size
	if s.Tus != nil {
		s.Tus.Offset = size
	}
	if phase != PhaseDone {
		return
	}

	s.Claim = ""
	if s.Tus != nil {
		s.Tus.Tail = nil
	}
	if s.Kind != KindParts {
		// For parts, the token is still needed to remove parts that arrive later.
		s.Token = ""
	}
}

// Completed returns the error for a request that would change a completed upload.
func (s *Session) Completed() *refusal.Error {
	err := refusal.New("uploadId", refusal.CodeCompleted, "This upload is complete already.")
	err.Key = s.Key()
	err.Location = s.URL()
	err.Problem = "completed-upload"
	return err
}

// A Result is the JSON of a completed upload.
type Result struct {
	Location string `json:"location,omitempty"`
	Key      string `json:"key"`
	Size     int64  `json:"size"`
	Type     string `json:"type,omitempty"` // media type; "" if the content decides it
}

// Result returns what the client gets to know of a completed upload.
func (s *Session) Result() Result {
	result := Result{Location: s.URL(), Key: s.Target.Key, Size: s.Size}
	if s.Random != nil {
		result.Type = s.Target.ContentType
	}
	return result
}

const writeIDLength = 32

// WriteID returns an ID that is stored with the object, so that a later call recognizes the object
// of this session.
func (s *Session) WriteID() string { return s.Dir[:writeIDLength] }

// UploadOptions adds an option to opts. The option sets the write ID of the object that the
// upload makes.
func (s *Session) UploadOptions(opts []storage.UploadOption) []storage.UploadOption {
	return append(opts, storage.WithWriteID(s.WriteID()))
}

// CopyOptions adds an option to opts. The option sets the write ID of the object that the copy
// makes.
func (s *Session) CopyOptions(opts []storage.CopyOption) []storage.CopyOption {
	return append(opts, storage.WithWriteID(s.WriteID()))
}
