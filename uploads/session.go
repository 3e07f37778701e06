package uploads

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/storedform"
	"github.com/omnibucket/storage/internal/uploadtoken"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// These are the kinds of sessions.
const (
	kindParts   = "parts"   // the S3 routes, a file in numbered parts
	kindSingle  = "single"  // the S3 routes, a file in one request
	kindTus     = "tus"     // tus, a file whose bytes arrive in order
	kindPartial = "partial" // tus, a piece of a file that is joined later
	kindFinal   = "final"   // tus, a file joined from pieces
	kindPieces  = "pieces"  // PutPiece, a file in pieces of any size and in any order
)

// These are the phases of a session, in order. The map nextPhases has the steps between them.
const (
	phaseOpen       = ""           // bytes arrive
	phaseCompleting = "completing" // all bytes have arrived; the object is being made
	phaseStored     = "stored"     // the object exists; the record or Config.Stored may still be missing
	phaseDone       = "done"
	phaseAborted    = "aborted" // the objects of the upload are being removed
)

// nextPhases has the phases that may follow each phase. The method save stores no other step, so a
// call that works with an old state cannot bring an upload back to an earlier phase.
var nextPhases = map[string][]string{
	// A file that arrives in one request, or whose bytes were only in memory, is never completing.
	phaseOpen: {phaseCompleting, phaseStored, phaseDone, phaseAborted},
	// A part was replaced, so the session is open again. Or the file was refused.
	phaseCompleting: {phaseOpen, phaseStored, phaseDone, phaseAborted},
	// The object may have been removed. A file in pieces then gets another key, and is made again.
	phaseStored: {phaseCompleting, phaseDone, phaseAborted},
	// Only a piece that is joined later can be aborted when it is done.
	phaseDone:    {phaseAborted},
	phaseAborted: {},
}

// mayEnter reports whether a session may be saved with its phase.
func (s *session) mayEnter() bool {
	return s.Phase == s.was || slices.Contains(nextPhases[s.was], s.Phase)
}

// A session is the state of one upload, which all processes share. It is stored as one text, which
// is replaced only if it has not changed since it was read.
type session struct {
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

	Tus    *tusState   `json:"tus,omitempty"`
	Pieces *pieceState `json:"pieces,omitempty"`

	// Nonce is a random text. Without it, two equal states would have the same revision in a store
	// that derives revisions from the content.
	Nonce string `json:"nonce"`

	name     string // name of the upload's directory, below Config.Prefix
	id       string // ID that the client uses; "" in Sweep
	link     string // URL by Config.Link, made for each request; set once the session is done
	revision string
	was      string   // phase in the stored state
	arrival  *arrival // the bytes that arrive in the present request; nil unless Kind is kindSingle
	again    bool     // true if an earlier call had claimed the session before the present claim
	// A claim is an entry in the state, which says that a call uses the session. overdue is the
	// revision of a state whose claim is ignored: nobody renewed that claim while this call waited.
	overdue string
}

const (
	stateName   = "state.json"
	contentName = "content" // name of the object that Inspect reads, or that has the joined pieces
	tailPrefix  = "tail-"
)

// sessionName returns the name of an upload's directory. It is a hash of the ID, because names of
// objects appear in logs and the ID is secret.
func sessionName(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:20])
}

// lastSessionForm is the last form of a session that this version reads
// (docs/maintainers/stored-forms.md).
const lastSessionForm = 2

// idLength is the length of an ID, which rand.Text makes.
const idLength = 26

// errConflict means that another call has changed the session since it was read.
var errConflict = errors.New("the upload was changed by another request")

// A keeper reads and writes sessions, and makes the objects of their files.
type keeper struct {
	bucket   storage.ReadWriter
	config   *Config
	service  *Service
	calls    callRegistry
	basePart int64 // usually partsize.Base; tests set a smaller one
}

func (k *keeper) objectKey(s *session, name string) string {
	return k.config.Prefix + s.name + "/" + name
}

func (k *keeper) load(ctx context.Context, id string, user User) (*session, error) {
	s, err := k.loadAny(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.User != user.ID || !maps.Equal(s.Values, user.Values) {
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
	if err != nil {
		return nil, storeFailed(err)
	}
	if s.Phase == phaseAborted || !k.config.Now().Before(s.Expires) || k.outdated(s) {
		return nil, notFound()
	}
	s.id = id
	// If a claim lasts much longer than claimFor, another process with a fast clock made the claim.
	// Shorten it. If the other process is still running, it renews the claim.
	if now := k.config.Now(); k.claimedAt(s, now.Add(2*claimFor)) {
		s.ClaimedUntil = now.Add(claimFor)
		_ = k.save(ctx, s)
	}
	f := s.file()
	if s.Phase == phaseDone && s.Kind != kindPartial && s.Location == "" {
		if err := k.service.link(ctx, f); err != nil {
			return nil, storeFailed(err)
		}
		s.link = f.Location
	}
	return s, nil
}

// outdated reports whether an unfinished upload must not be completed, because Config has changed
// since the upload began. These are examples:
//
//   - Config.Allowance was added, and the upload has no reservation.
//   - Config.Records was added, and the key of the upload contains no ID.
//   - The content is now checked below Config.Prefix, but the bytes are under the final key.
func (k *keeper) outdated(s *session) bool {
	switch {
	case s.Phase == phaseDone:
		return false
	case s.Kind == kindPartial:
	case k.service.counter != nil && !s.Reserved && s.Kind != kindSingle ||
		s.Target.Key == "" && (!k.service.judge.LooksAtContent() || k.service.checkUser(s.user()) != nil) ||
		s.Target.Key != "" && k.config.Records != nil && keypattern.IDIn(s.Target.Key) == "":
		return true
	}
	return s.Token != "" && s.Phase != phaseStored && s.Staged != k.staged(s.Kind)
}

// location returns the URL of the file. If it has none, location returns "".
func (s *session) location() string { return cmp.Or(s.Location, s.link) }

func (k *keeper) read(ctx context.Context, name string) (*session, error) {
	s := &session{name: name}
	key := k.objectKey(s, stateName)
	text, revision, err := k.config.States.State(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := storedform.Check("uploads", key, text, lastSessionForm); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, &storage.Error{Code: storage.Internal, Key: key, Err: err}
	}
	s.revision = revision
	s.was = s.Phase
	return s, nil
}

// save creates or replaces the state. If another call has changed the state, save fails with
// errConflict.
func (k *keeper) save(ctx context.Context, s *session) error {
	if !s.mayEnter() {
		return storeFailed(&storage.Error{
			Code: storage.Internal,
			Op:   "uploads",
			Key:  k.objectKey(s, stateName),
			Err:  fmt.Errorf("an upload in the phase %q cannot enter the phase %q", s.was, s.Phase),
		})
	}
	s.Nonce = rand.Text()
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	revision, err := k.config.States.SetState(ctx, k.objectKey(s, stateName), text, s.revision)
	// If the outcome of the write is unknown, read the state again. A stored claim that this call
	// does not know would block all other calls until the claim expires.
	if errors.Is(err, storage.OutcomeUnknown) {
		if current, failure := k.read(ctx, s.name); failure == nil && current.Nonce == s.Nonce {
			revision = current.revision
			err = nil
		}
	}
	switch storage.CodeOf(err) {
	case "":
		s.revision = revision
		s.was = s.Phase
		return nil
	case storage.PreconditionFailed:
		return errConflict
	}
	return storeFailed(err)
}

// maxConflicts limits how often one call reads a session again because another call changed it.
const maxConflicts = 20

// update changes a session and saves it. If another call changed the session meanwhile, update
// reads it again and repeats the change. The function change returns false if there is nothing to
// save.
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
	if storage.CodeOf(err) == storage.ObjectNotFound || err == nil && s.run() != old.run() {
		return nil, notFound()
	}
	if err != nil {
		return nil, storeFailed(err)
	}
	s.id = old.id
	return s, nil
}

// remove removes the multipart upload, the objects and finally the state of a session. The session
// must be aborted or done. If the multipart upload was completed, Abort removes only parts that
// arrived later.
//
// The bucket of k may be a copy of the bucket in which the session began. In this case, the
// multipart upload exists only in the original bucket, and stays there.
func (k *keeper) remove(ctx context.Context, s *session) error {
	if s.Token != "" {
		upload, err := storage.ContinueUpload(ctx, k.bucket, s.Token)
		if err == nil {
			err = upload.Abort(ctx)
		} else if storage.CodeOf(err) == storage.InvalidArgument && strings.Contains(err.Error(), uploadtoken.OtherBucket) {
			err = nil // the bucket is a copy, and the multipart upload belongs to the original bucket
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

// finishing reports whether a call has begun to make the object of a session, and has not finished.
// The object may exist although the application does not know about it. Such a session must be
// finished before it can be aborted.
func (s *session) finishing() bool {
	return s.Kind != kindPartial && (s.Phase == phaseCompleting || s.Phase == phaseStored)
}

// abort ends a session that is not done, and removes it. A request that is still in progress fails
// at its next write of the state.
func (k *keeper) abort(ctx context.Context, s *session) error {
	s, err := k.update(ctx, s, func(s *session) (bool, error) {
		if s.Phase == phaseAborted {
			return false, nil
		}
		if s.Phase == phaseDone && s.Kind != kindPartial {
			return false, s.completed()
		}
		if k.claimed(s) || s.finishing() {
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
	if err := k.removeJoined(ctx, s); err != nil {
		return err
	}
	k.giveBack(ctx, s)
	return nil
}

// completed returns the error for a request that would change a completed upload.
func (s *session) completed() *Error {
	e := refuse("uploadId", Completed, "This upload is complete already.")
	e.key, e.location, e.problem = s.key(), s.location(), "completed-upload"
	return e
}

// key returns the key of the file. As long as the key depends on content that has not arrived, it
// returns the ID of the session.
func (s *session) key() string { return cmp.Or(s.Target.Key, s.id) }

// limit returns how many bytes the file may have. If the size is not limited, it returns -1.
func (s *session) limit() int64 {
	if s.Size >= 0 {
		return s.Size
	}
	return cmp.Or(s.Target.MaxSize, -1)
}

// newSession returns a new session with a secret ID. It does not save the session.
func newSession(kind string, user User, n Request, target Target, expires time.Time) *session {
	id := rand.Text()
	return &session{
		Kind:     kind,
		User:     user.ID,
		Values:   user.Values,
		Target:   target,
		Name:     n.Name,
		Type:     n.Type,
		Metadata: n.Metadata,
		Size:     n.Size,
		Expires:  expires.UTC().Truncate(time.Second),
		name:     sessionName(id),
		id:       id,
	}
}

// removeKeys removes objects of a session by their names. If that fails, Sweep removes them later.
func (k *keeper) removeKeys(ctx context.Context, s *session, names ...string) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = k.objectKey(s, name)
	}
	_, _ = storage.RemoveAll(ctx, k.bucket, slices.Values(keys))
}
