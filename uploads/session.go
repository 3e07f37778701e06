package uploads

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/uploadtoken"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// The kinds of sessions.
const (
	kindParts   = "parts"   // the S3 routes: parts that the client numbers
	kindSingle  = "single"  // the S3 routes: a file in one request
	kindTus     = "tus"     // tus: bytes in order
	kindPartial = "partial" // tus: a piece of a file
	kindFinal   = "final"   // tus: a file joined from pieces
	kindPieces  = "pieces"  // PutPiece: pieces of any size, in any order
)

// The phases of a session. A session only moves forward, except that it is open again if a part was
// replaced while it was completing.
const (
	phaseOpen       = ""           // bytes arrive
	phaseCompleting = "completing" // all bytes have arrived; the object is being made
	phaseStored     = "stored"     // the object exists; OnComplete has not returned nil yet
	phaseDone       = "done"
	phaseAborted    = "aborted" // its objects are being removed
)

// A session is the state of one upload, which all processes share. It is an object that
// is only replaced if it has not changed since it was read.
type session struct {
	Kind     string            `json:"kind"`
	Phase    string            `json:"phase,omitempty"`
	User     string            `json:"user"`
	Values   map[string]string `json:"values,omitempty"` // values of the user
	Target   Target            `json:"target"`
	Name     string            `json:"name,omitempty"`
	Type     string            `json:"type,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Size     int64             `json:"size"`             // bytes; -1 means unknown
	Token    string            `json:"token,omitempty"`  // token of the store's upload; "" if it has not begun
	Staged   bool              `json:"staged,omitempty"` // the store's upload is below Config.Prefix
	Expires  time.Time         `json:"expires"`
	Location string            `json:"location,omitempty"` // set by Config.Stored; "" means link
	// Begun and Random are for the key, if the content decides it.
	Begun  time.Time `json:"begun,omitzero"`
	Random []byte    `json:"random,omitempty"`
	// Claim is the call that makes the object, until ClaimedUntil.
	Claim        string    `json:"claim,omitempty"`
	ClaimedUntil time.Time `json:"claimedUntil,omitzero"`

	PartSize int64 `json:"partSize,omitempty"`
	// ETags are the ETags of the parts that make the file, once the client has named them; ""
	// matches any.
	ETags []string `json:"etags,omitempty"`
	// PartsSum identifies the list of parts that the client has sent.
	PartsSum string `json:"partsSum,omitempty"`
	// Checked is set if the client sends the CRC32C of each part.
	Checked bool `json:"checked,omitempty"`
	// Proxied is set if parts pass through the handler. Secret signs their addresses.
	Proxied bool   `json:"proxied,omitempty"`
	Secret  string `json:"secret,omitempty"`

	Tus    *tusState   `json:"tus,omitempty"`
	Pieces *pieceState `json:"pieces,omitempty"`

	// Nonce is random, so that no two states have the same revision in a store that
	// derives revisions from content.
	Nonce string `json:"nonce"`

	name     string // name of the directory of its objects, below Config.Prefix
	id       string // as the client knows it; "" in Sweep
	link     string // address by Config.Link, once the session is done; a new one for each request
	revision string
	overdue  string // a revision whose claim does not count: it was not renewed while this call waited for it
}

const (
	stateName   = "state.json"
	contentName = "content" // name of the content that Inspect must see first, and of pieces
	tailPrefix  = "tail-"
)

// sessionName returns the name of the directory of an upload. IDs are not in names of
// objects, because those are in logs.
func sessionName(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:20])
}

// idLength is the length of rand.Text.
const idLength = 26

// errConflict is returned if another call has changed the session.
var errConflict = errors.New("the upload was changed by another request")

// A keeper has the sessions of uploads in the store, and makes their objects.
type keeper struct {
	bucket   storage.ReadWriter
	config   *Config
	service  *Service
	calls    calls
	basePart int64 // partsize.Base; tests make it smaller
}

func (k *keeper) objectKey(s *session, name string) string {
	return k.config.Prefix + s.name + "/" + name
}

func (k *keeper) load(ctx context.Context, id string, user User) (*session, error) {
	s, err := k.loadAny(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case s.User != user.ID || !maps.Equal(s.Values, user.Values):
		return nil, notFound()
	}
	return s, nil
}

func (k *keeper) loadAny(ctx context.Context, id string) (*session, error) {
	if len(id) != idLength || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return nil, notFound()
	}
	s, err := k.read(ctx, sessionName(id))
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, notFound()
	}
	switch {
	case err != nil:
		return nil, storeFailed(err)
	case s.Phase == phaseAborted || !k.config.Now().Before(s.Expires) || k.outdated(s):
		return nil, notFound()
	}
	s.id = id
	if now := k.config.Now(); k.claimedAt(
		s, now.Add(2*claimFor),
	) { // a process whose clock is ahead has the claim: if it lives, it renews the claim
		s.ClaimedUntil = now.Add(claimFor)
		_ = k.save(ctx, s)
	}
	if f := s.file(); s.Phase == phaseDone && s.Kind != kindPartial && s.Location == "" {
		if err := k.service.link(ctx, f); err != nil {
			return nil, storeFailed(err)
		}
		s.link = f.Location
	}
	return s, nil
}

// outdated reports whether an upload that is open began by another Config, by which its bytes go elsewhere, or its
// key lacks a value or an ID. Such an upload cannot be completed, because bytes that nobody has judged would appear
// under its key.
func (k *keeper) outdated(s *session) bool {
	switch {
	case s.Phase == phaseDone:
		return false
	case s.Kind == kindPartial:
	case s.Target.Key == "" && (!k.service.judge.LooksAtContent() || k.service.checkUser(s.user()) != nil),
		s.Target.Key != "" && k.config.Records != nil && keypattern.IDIn(s.Target.Key) == "":
		return true
	}
	return s.Token != "" && s.Phase != phaseStored && s.Staged != k.staged(s.Kind)
}

// location returns the address of the file; "" means it has none.
func (s *session) location() string { return cmp.Or(s.Location, s.link) }

func (k *keeper) read(ctx context.Context, name string) (*session, error) {
	s := &session{name: name}
	key := k.objectKey(s, stateName)
	text, revision, err := k.config.States.State(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, &storage.Error{Code: storage.Internal, Key: key, Err: err}
	}
	s.revision = revision
	return s, nil
}

// save creates or replaces the state. If another call has changed it, it fails with
// errConflict.
func (k *keeper) save(ctx context.Context, s *session) error {
	s.Nonce = rand.Text()
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	revision, err := k.config.States.SetState(ctx, k.objectKey(s, stateName), text, s.revision)
	if errors.Is(err, storage.OutcomeUnknown) { // otherwise a claim would keep all other calls away until it ends
		if now, failed := k.read(ctx, s.name); failed == nil && now.Nonce == s.Nonce {
			revision, err = now.revision, nil
		}
	}
	switch storage.CodeOf(err) {
	case "":
		s.revision = revision
		return nil
	case storage.PreconditionFailed:
		return errConflict
	}
	return storeFailed(err)
}

// maxConflicts limits how often one call reads a session again because another call
// changed it.
const maxConflicts = 20

// update reads the session again, changes it and saves it, until no other call
// interferes. change returns false if there is nothing to save.
func (k *keeper) update(
	ctx context.Context, s *session, change func(*session) (save bool, err error),
) (*session, error) {
	for range maxConflicts {
		if save, err := change(s); !save || err != nil {
			return s, err
		}
		err := k.save(ctx, s)
		if err != errConflict {
			return s, err
		}
		if s, err = k.reload(ctx, s); err != nil {
			return nil, err
		}
	}
	return nil, refuse("uploadId", Locked, "Too many requests change this upload at once.")
}

func (k *keeper) reload(ctx context.Context, old *session) (*session, error) {
	s, err := k.read(ctx, old.name)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound, err == nil && s.run() != old.run():
		return nil, notFound()
	case err != nil:
		return nil, storeFailed(err)
	}
	s.id = old.id
	return s, nil
}

// remove removes everything of a session: the store's upload, objects and the state, which is last. The session must
// be aborted or done. An upload to another bucket stays: the state came with a copy. If the store's upload is
// completed, Abort removes only parts that came later.
func (k *keeper) remove(ctx context.Context, s *session) error {
	if s.Token != "" {
		upload, err := storage.ContinueUpload(ctx, k.bucket, s.Token)
		switch {
		case err == nil:
			err = upload.Abort(ctx)
		case storage.CodeOf(err) == storage.InvalidArgument && strings.Contains(err.Error(), uploadtoken.OtherBucket):
			err = nil // the state came with a copy of its bucket: the upload belongs to the original
		}
		if err != nil {
			return err
		}
	}
	if err := k.removeObjects(ctx, s); err != nil {
		return err
	}
	return k.config.States.RemoveState(ctx, k.objectKey(s, stateName), s.revision)
}

func (k *keeper) removeObjects(ctx context.Context, s *session) error {
	state := k.objectKey(s, stateName)
	_, err := storage.RemoveMatching(ctx, k.bucket, func(e storage.ListEntry) bool { return e.Key != state },
		storage.WithPrefix(k.config.Prefix+s.name+"/"+s.run()))
	return err
}

// finishing reports whether the object may exist, and the application does not know it yet: a call
// that made it failed or was killed. Such a session is finished before it can be aborted.
func (s *session) finishing() bool {
	return s.Kind != kindPartial && (s.Phase == phaseCompleting || s.Phase == phaseStored)
}

// abort ends a session that is not done, and removes it. Requests in progress find out
// with their next write.
func (k *keeper) abort(ctx context.Context, s *session) error {
	s, err := k.update(ctx, s, func(s *session) (bool, error) {
		switch {
		case s.Phase == phaseAborted:
			return false, nil
		case s.Phase == phaseDone && s.Kind != kindPartial:
			return false, s.completed()
		case k.claimed(s), s.finishing():
			return false, beingCompleted()
		}
		s.Phase = phaseAborted
		return true, nil
	})
	if err != nil {
		return err
	}
	if err := k.remove(ctx, s); err != nil {
		return storeFailed(err)
	}
	return nil
}

// completed returns the error for a change of a session that is complete.
func (s *session) completed() *Error {
	e := refuse("uploadId", Completed, "This upload is complete already.")
	e.key, e.location, e.problem = s.key(), s.location(), "completed-upload"
	return e
}

// key returns the key of the file. While its content is not known, that is the ID.
func (s *session) key() string { return cmp.Or(s.Target.Key, s.id) }

// limit returns how many bytes the file may have; -1 means any number.
func (s *session) limit() int64 {
	if s.Size >= 0 {
		return s.Size
	}
	return cmp.Or(s.Target.MaxSize, -1)
}

// newSession returns a session that is not saved yet, with an ID that cannot be guessed.
func newSession(kind string, user User, n Request, target Target, expires time.Time) *session {
	id := rand.Text()
	return &session{
		Kind: kind, User: user.ID, Values: user.Values, Target: target, Name: n.Name, Type: n.Type,
		Metadata: n.Metadata, Size: n.Size,
		Expires: expires.UTC().Truncate(time.Second), name: sessionName(id), id: id,
	}
}

// removeKeys removes objects of a session by their names. Sweep removes the objects that
// removeKeys could not.
func (k *keeper) removeKeys(ctx context.Context, s *session, names ...string) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = k.objectKey(s, name)
	}
	_, _ = storage.RemoveAll(ctx, k.bucket, slices.Values(keys))
}
