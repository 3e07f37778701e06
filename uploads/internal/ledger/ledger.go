// Package ledger counts what each user has stored, and what is reserved for unfinished uploads. The
// count of a user, called a ledger, is one small JSON text. It is replaced only if it has not
// changed since it was read, so any number of processes can update it. The package does not access
// files or use HTTP.
package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

const (
	// OldPrefix is the first part of the key of each ledger that an older version of this package
	// has written.
	OldPrefix = "files/usage/"
	suffix    = "/state.json" // last part of the key of every state, including ledgers
)

// lastForm is the last form of a ledger that this version reads (docs/maintainers/stored-forms.md).
const lastForm = 2

// maxEntries limits the number of unfinished uploads and removals in one ledger, and with it the
// length of the ledger.
const maxEntries = 1000

// maxConflicts limits how often one call reads a ledger again because another call changed it.
const maxConflicts = 1000

var (
	// ErrOver means that the allowance of a user is used up. [OverError] wraps it.
	ErrOver = errors.New("the allowance is used up")
	// ErrBusy is the error of Reserve if the user has too many unfinished uploads.
	ErrBusy = errors.New("too many uploads of this user are not complete")
)

// An OverError is the error of Reserve if the limit does not allow the reservation. Its fields are
// the user's bytes and files, both stored and reserved.
type OverError struct{ Bytes, Files int64 }

// Error returns the text of [ErrOver].
func (*OverError) Error() string { return ErrOver.Error() }

// Unwrap returns ErrOver.
func (*OverError) Unwrap() error { return ErrOver }

// States stores the texts of ledgers. It has the methods of uploads.States that this package needs.
type States interface {
	State(ctx context.Context, key string) (state []byte, revision string, err error)
	SetState(ctx context.Context, key string, state []byte, revision string) (string, error)
	RemoveState(ctx context.Context, key, revision string) error
}

// A Limit says how many bytes and files a user may have. The value 0 means no limit, and a negative
// value means that nothing is allowed.
type Limit struct{ Bytes, Files int64 }

// An Entry is an unfinished upload or removal. Its bytes and files are counted here, and not in the
// Bytes and Files of the ledger.
type Entry struct {
	Bytes int64 `json:"bytes"`
	Files int64 `json:"files"`
	// Stem is the key of the file without its extension. It is "" if the key is not known yet.
	Stem string `json:"stem,omitempty"`
	// Session is the name of the session in which the file is uploaded, or "" if there is no
	// session. If the session no longer exists, the entry is dead: nobody will complete it.
	Session string `json:"session,omitempty"`
	// Run is set if the file is uploaded in pieces. If this upload is aborted and begins again, it
	// has the same Session, but another Run.
	Run string    `json:"run,omitempty"`
	At  time.Time `json:"at"`
	// After Until, an entry without a Session is dead. An entry with a Session is dead if there is no
	// such session after Until. The zero time means no limit.
	Until   time.Time `json:"until,omitzero"`
	Removal string    `json:"removal,omitempty"` // ID of the removal; "" for an upload
	// Removed is true if a removal of the file has begun before the upload has ended.
	Removed bool `json:"removed,omitempty"`
	// Canceled is true if the ticket was canceled. Nobody may finish it any more.
	Canceled bool `json:"canceled,omitempty"`
}

// A Text is the content of one ledger.
type Text struct {
	// ID is a random text that the ledger gets when it is created. A ledger of an older version has
	// none.
	ID      string           `json:"id,omitempty"`
	User    string           `json:"user"`
	Bytes   int64            `json:"bytes"` // size of the complete files
	Files   int64            `json:"files"`
	Entries map[string]Entry `json:"entries,omitempty"` // keys are the names of reservations and removals
	// Nonce is a random text. Without it, two equal texts would have the same revision in a store
	// that derives revisions from the content.
	Nonce string `json:"nonce"`

	revision string
	// lostWrite is true if the response to an earlier write of the same call was lost. That write may
	// have changed the ledger already.
	lostWrite bool
	// oldRevision is the revision of the ledger under OldPrefix that this one replaces; "" if there is none.
	oldRevision string
}

// newID returns the ID of a new ledger.
func newID() string { return rand.Text() }

// Pending returns how many bytes and files all entries have together.
func (t *Text) Pending() (bytes, files int64) {
	for _, entry := range t.Entries {
		bytes += entry.Bytes
		files += entry.Files
	}
	return bytes, files
}

// Key returns the key of a user's ledger in b.States.
func (b *Book) Key(user string) string { return b.Prefix + b.name(user) }

// hashBytes is the length of the hash of a user in the key of the user's ledger.
const hashBytes = 20

// name returns the last part of the key of a user's ledger.
func (b *Book) name(user string) string {
	sum := sha256.Sum256([]byte(b.Scope + "\x00" + user))
	return hex.EncodeToString(sum[:hashBytes]) + suffix
}

// IsKey reports whether key is the key of a ledger, with this prefix.
func IsKey(prefix, key string) bool {
	name, hasPrefix := strings.CutPrefix(key, prefix)
	hash, hasSuffix := strings.CutSuffix(name, suffix)
	return hasPrefix && hasSuffix && len(hash) == hex.EncodedLen(hashBytes)
}

// A Book reads and updates the ledgers of all users.
type Book struct {
	Prefix string // first part of the key of each ledger
	Scope  string // part of every ledger's key; equal in all processes that count the same files
	States States
	Now    func() time.Time
	Wait   func(context.Context, time.Duration) error // pauses before the next attempt after a conflict

	recent recent
}

// A Reservation asks for room in the allowance of a user, for one upload.
type Reservation struct {
	User, Name  string
	Least, Most int64 // wanted bytes; Most is [math.MaxInt64] if only the allowance limits the size
	Entry       Entry // the entry to add; the method Reserve sets the fields Bytes and At of this entry
	// Replaces lists the names of entries that this reservation replaces, because they reserve the
	// same bytes.
	Replaces []string
	// KeepOld is true if an older reservation with the same name stays. It is then the result.
	KeepOld bool
	// DryRun is true if nothing is to be reserved. Reserve then only says what it would grant. The
	// ledger may be outdated.
	DryRun bool
	// Sizes maps the names of reservations to the sizes of their files, which are now known.
	// Reserve reduces those reservations to these sizes.
	Sizes map[string]int64
}

// Reserve reserves as many bytes as the limit allows, between Least and Most, and returns their number. It
// fails with [ErrOver] if the limit does not allow Least bytes, and with [ErrBusy] if the user has too many
// unfinished uploads.
func (b *Book) Reserve(ctx context.Context, r Reservation, limit Limit) (int64, error) {
	return update(ctx, b, r.User, func(t *Text) (int64, outcome, error) {
		old, exists := t.Entries[r.Name]
		if exists && r.KeepOld {
			return old.Bytes, unchanged, nil
		}
		granted, err := t.reserve(r, limit, b.now())
		if err != nil {
			return 0, unchanged, err
		}
		if r.DryRun {
			return granted, found, nil
		}
		return granted, changed, nil
	})
}

// reserve adds the entry of a reservation, and returns the number of its bytes. In limit, 0 means no
// limit, and a negative number means that nothing is allowed.
func (t *Text) reserve(r Reservation, limit Limit, now time.Time) (int64, error) {
	t.freeFor(r)
	if len(t.Entries) >= maxEntries {
		return 0, ErrBusy
	}

	// Grant as much as the limits allow.
	pendingBytes, pendingFiles := t.Pending()
	usedBytes := t.Bytes + pendingBytes
	usedFiles := t.Files + pendingFiles
	granted := r.Most
	if limit.Bytes != 0 {
		granted = min(granted, max(limit.Bytes, 0)-usedBytes)
	}
	hasFileRoom := limit.Files == 0 || usedFiles+r.Entry.Files <= max(limit.Files, 0)
	if granted < r.Least || !hasFileRoom {
		return 0, &OverError{Bytes: usedBytes, Files: usedFiles}
	}

	// Add the entry, which reserves no bytes if there is no limit.
	entry := r.Entry
	entry.At = now
	isLimited := granted < math.MaxInt64
	if isLimited {
		entry.Bytes = granted
	}
	t.Entries[r.Name] = entry
	return granted, nil
}

// freeFor drops the entries that a reservation replaces, and frees the bytes that complete files have reserved but do
// not need.
func (t *Text) freeFor(r Reservation) {
	delete(t.Entries, r.Name)
	for _, name := range r.Replaces {
		delete(t.Entries, name)
	}

	for name, size := range r.Sizes { // the sizes of complete files, in bytes
		entry, exists := t.Entries[name]
		if exists {
			entry.Bytes = min(entry.Bytes, size)
			t.Entries[name] = entry
		}
	}
}

// now returns the time for entries, in whole seconds.
func (b *Book) now() time.Time { return b.Now().UTC().Truncate(time.Second) }

// A Lookup is the result of the method Entry.
type Lookup struct {
	Entry  Entry
	Exists bool   // false if the ledger has no such entry
	Ledger string // ID of the ledger
}

// Entry looks up the entry with this name. Another process may drop the entry at any time.
func (b *Book) Entry(ctx context.Context, user, name string) (Lookup, error) {
	return update(ctx, b, user, func(t *Text) (Lookup, outcome, error) {
		entry, exists := t.Entries[name]
		lookup := Lookup{Entry: entry, Exists: exists, Ledger: t.ID}
		if exists {
			return lookup, found, nil
		}
		return lookup, unchanged, nil
	})
}

// A Settlement is the result of Settle.
type Settlement struct {
	Counted  bool   // true if the file is counted
	Canceled bool   // true if the ticket of the file was canceled; the file is then not counted
	Ledger   string // ID of the ledger
}

// Settle replaces a reservation by a complete file of this size, which then counts for the user. Counted is
// false if the reservation does not exist, because an earlier call has settled it, a recount has dropped it,
// or the ledger was lost.
func (b *Book) Settle(ctx context.Context, user, name string, size int64) (Settlement, error) {
	return update(ctx, b, user, func(t *Text) (Settlement, outcome, error) {
		entry, exists := t.Entries[name]
		if !exists {
			// An earlier write of this call whose response was lost may have counted the file.
			return Settlement{Counted: t.lostWrite, Ledger: t.ID}, unchanged, nil
		}
		if entry.Canceled {
			return Settlement{Canceled: true, Ledger: t.ID}, unchanged, nil
		}

		// Count the file instead of the reservation.
		delete(t.Entries, name)
		t.Bytes += size
		t.Files += entry.Files
		if entry.Removed {
			// A removal that began before may have removed the file, so the next Sweep must count again.
			b.doubt(t)
		}
		return Settlement{Counted: true, Ledger: t.ID}, changed, nil
	})
}

// Renew sets the time after which an entry is dead. It returns false if a recount has dropped the entry.
func (b *Book) Renew(ctx context.Context, user, name string, end time.Time) (bool, error) {
	return update(ctx, b, user, func(t *Text) (bool, outcome, error) {
		entry, exists := t.Entries[name]
		if !exists {
			return false, unchanged, nil
		}
		entry.Until = end
		t.Entries[name] = entry
		return true, changed, nil
	})
}

// Cancel marks a reservation as canceled, so that its upload can no longer be counted, and returns false if
// there is none. The reservation expires at end, and keeps its room until then only if keep is true.
func (b *Book) Cancel(ctx context.Context, user, name string, keep bool, end time.Time) (bool, error) {
	return update(ctx, b, user, func(t *Text) (bool, outcome, error) {
		entry, exists := t.Entries[name]
		if !exists {
			return false, unchanged, nil
		}

		entry.Canceled = true
		entry.Until = end
		if !keep {
			entry.Bytes = 0
			entry.Files = 0
		}
		t.Entries[name] = entry
		return true, changed, nil
	})
}

// Drop removes the reservation of an upload that stored nothing.
func (b *Book) Drop(ctx context.Context, user, name string) error {
	return b.change(ctx, user, func(t *Text) (outcome, error) {
		if _, exists := t.Entries[name]; !exists {
			return unchanged, nil
		}
		delete(t.Entries, name)
		return changed, nil
	})
}

// Add counts a file whose reservation is lost, and marks the ledger for a recount, because the file may have
// been counted already.
func (b *Book) Add(ctx context.Context, user string, size int64) error {
	return b.change(ctx, user, func(t *Text) (outcome, error) {
		t.Bytes += size
		t.Files++
		b.doubt(t)
		return changed, nil
	})
}

// Doubt marks the ledger of a user for a recount, with an entry that is dead from the beginning and so makes
// the next Sweep count the files of the user again.
func (b *Book) Doubt(ctx context.Context, user string) error {
	return b.change(ctx, user, func(t *Text) (outcome, error) {
		b.doubt(t)
		return changed, nil
	})
}

// doubt adds the mark of Doubt to a ledger.
func (b *Book) doubt(t *Text) {
	// The clock of the store may be behind, or count only whole seconds. The entry is dead by any
	// clock.
	t.Entries["doubt"] = Entry{At: b.now(), Until: time.Unix(0, 0).UTC()}
}

// DoubtAfter marks t for a recount after the given time, and is for the function of Recount. The mark has an
// entry of its own, so that an earlier recount, which Doubt may cause, does not drop it.
func (b *Book) DoubtAfter(t *Text, end time.Time) {
	t.Entries["doubt later"] = Entry{At: b.now(), Until: end}
}

// A Removal identifies a removal that BeginRemoval has begun.
type Removal struct {
	User, Key, ID string
	Joined        bool // true if another call began it
	// Uncounted is true if the file is not counted yet, because its upload has not ended. Its
	// removal then changes no count and has no entry, so the caller need not end it.
	Uncounted bool
}

// Name returns the name of the entry of the removal.
func (r Removal) Name() string { return "remove " + r.Key }

// BeginRemoval subtracts a file from the count and adds an entry for its removal, or joins the removal of
// another call. The caller must then check whether the file still exists, and call EndRemoval or UndoRemoval.
//
// The function upload returns the name of the entry whose upload makes this file, or "". A file with such
// an entry is not counted, so BeginRemoval subtracts nothing and only marks the entry.
func (b *Book) BeginRemoval(
	ctx context.Context, user, key string, file Entry, upload func(*Text) (name string, err error),
) (Removal, error) {
	id := rand.Text()
	return update(ctx, b, user, func(t *Text) (Removal, outcome, error) {
		r := Removal{User: user, Key: key, ID: id}
		current, isRunning := t.Entries[r.Name()]
		if isRunning {
			// It has the same ID if an earlier write of this call took effect although it seemed to fail.
			r.Joined = current.Removal != id
			r.ID = current.Removal
			return r, unchanged, nil
		}

		// Find out whether the file is counted at all.
		uploadName, err := upload(t)
		if err != nil {
			return Removal{}, unchanged, err
		}
		if uploadName != "" {
			r.Uncounted = true
			return r, t.markRemoved(uploadName), nil
		}
		b.subtract(t, r, file)
		return r, changed, nil
	})
}

// markRemoved marks the entry of an upload whose file is removed, unless the entry is marked already.
func (t *Text) markRemoved(name string) outcome {
	entry := t.Entries[name]
	if entry.Removed {
		return unchanged
	}
	entry.Removed = true
	t.Entries[name] = entry
	return changed
}

// subtract moves a file from the count of a ledger to the entry of its removal. If less was counted, it
// marks the ledger for a recount.
func (b *Book) subtract(t *Text, r Removal, file Entry) {
	// The count must not become negative.
	bytes := min(file.Bytes, t.Bytes)
	files := min(file.Files, t.Files)
	if bytes < file.Bytes || files < file.Files {
		b.doubt(t)
	}
	t.Bytes -= bytes
	t.Files -= files

	entry := file
	entry.Removal = r.ID
	entry.At = b.now()
	entry.Bytes = bytes
	entry.Files = files
	t.Entries[r.Name()] = entry
}

// EndRemoval drops the entry of a removal of a file from the ledger. The file stays subtracted from the count.
func (b *Book) EndRemoval(ctx context.Context, r Removal) error {
	const restore = false
	return b.endRemoval(ctx, r, restore)
}

// UndoRemoval drops the entry of a removal from the ledger, and adds the file to the count again. It is for a file
// that stays, or that an earlier removal has subtracted.
func (b *Book) UndoRemoval(ctx context.Context, r Removal) error {
	const restore = true
	return b.endRemoval(ctx, r, restore)
}

// endRemoval drops the entry of a removal, if the removal still has it. If restore is true, it adds what the entry has
// subtracted to the count again.
func (b *Book) endRemoval(ctx context.Context, r Removal, restore bool) error {
	return b.change(ctx, r.User, func(t *Text) (outcome, error) {
		entry, exists := t.Entries[r.Name()]
		if !exists && !r.Joined {
			// A recount has dropped the entry as dead, and may have counted the file before.
			b.doubt(t)
			return changed, nil
		}
		if !exists || entry.Removal != r.ID {
			// Another call has ended this removal, and perhaps another removal of the key has begun.
			return unchanged, nil
		}

		delete(t.Entries, r.Name())
		if restore {
			t.Bytes += entry.Bytes
			t.Files += entry.Files
		}
		return changed, nil
	})
}

// Recount replaces the count of a user by what count finds, and calls count again if the ledger changes
// meanwhile. The function count must drop the dead entries of the ledger, and set Bytes and Files to the
// totals of the stored files that have no entry.
func (b *Book) Recount(ctx context.Context, user string, count func(*Text) error) error {
	return b.change(ctx, user, func(t *Text) (outcome, error) {
		if err := count(t); err != nil {
			return unchanged, err
		}
		return changed, nil
	})
}

// Read returns the ledger of a user, or an empty one if there is none. It also finds a ledger that an older
// version has stored under another key.
func (b *Book) Read(ctx context.Context, user string) (*Text, error) {
	current, err := b.read(ctx, b.Key(user))
	if err != nil {
		return nil, err
	}
	if current.revision != "" {
		return current, nil
	}

	// There is no ledger under the key. The ledger of an older version becomes the first one there.
	old, err := b.read(ctx, OldPrefix+b.name(user))
	if err != nil {
		return nil, err
	}
	if old.revision == "" {
		// Another call may have moved the ledger since it was looked for.
		return b.read(ctx, b.Key(user))
	}

	// The next write creates the ledger under the new key, because it has no revision there, and then removes
	// the old one.
	old.oldRevision = old.revision
	old.revision = ""
	if old.ID == "" {
		// Older versions gave no ID. Several calls may move this ledger at the same time, and must give it the same
		// ID. The nonce serves as the ID, because all of them read the same one.
		old.ID = old.Nonce
	}
	return old, nil
}

// Migrate moves a ledger of an older version of this package, which is under oldKey, to its new key. If there is
// one under the new key already, Migrate removes the old one, and marks the other for a recount.
func (b *Book) Migrate(ctx context.Context, oldKey string) error {
	old, err := b.ReadKey(ctx, oldKey)
	if old == nil || err != nil {
		return err
	}
	current, err := b.read(ctx, b.Key(old.User))
	if err != nil {
		return err
	}
	if current.revision != "" {
		// A process of the older version may have counted since the ledger was moved.
		if err := b.Doubt(ctx, old.User); err != nil {
			return err
		}
		return b.States.RemoveState(ctx, oldKey, old.revision)
	}

	// Any write of the ledger moves it to its new key.
	return b.change(ctx, old.User, func(t *Text) (outcome, error) {
		isMoved := t.oldRevision == "" // another call has moved it
		if isMoved {
			return unchanged, nil
		}
		return changed, nil
	})
}

// ReadKey returns the ledger under this key, or nil if there is none that belongs to this Book. The key may also
// be one that an older version has used.
func (b *Book) ReadKey(ctx context.Context, key string) (*Text, error) {
	t, err := b.read(ctx, key)
	if err != nil {
		return nil, err
	}
	if t.revision == "" || !strings.HasSuffix(key, "/"+b.name(t.User)) {
		return nil, nil
	}
	return t, nil
}

// read returns the ledger under this key, or an empty one without a revision if there is none.
func (b *Book) read(ctx context.Context, key string) (*Text, error) {
	t := &Text{Entries: map[string]Entry{}}
	text, revision, err := b.States.State(ctx, key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if err := argument.CheckForm("uploads", key, text, lastForm); err != nil {
		// A newer version has written it.
		return nil, err
	}
	if err := json.Unmarshal(text, t); err != nil {
		return nil, &storage.Error{Code: storage.Internal, Key: key, Err: err}
	}
	t.revision = revision

	if t.Bytes < 0 || t.Files < 0 {
		b.repair(t)
	}
	return t, nil
}

// repair corrects a ledger from which an older version has subtracted what it had not added, and lets the next Sweep
// count again.
func (b *Book) repair(t *Text) {
	t.Bytes = max(t.Bytes, 0)
	t.Files = max(t.Files, 0)
	if t.Entries == nil {
		// The text has null in place of the entries.
		t.Entries = map[string]Entry{}
	}
	b.doubt(t)
}

// write stores a changed ledger, or returns false if another call has changed it since it was read.
func (b *Book) write(ctx context.Context, t *Text) (bool, error) {
	// The nonce shows later which call has written a ledger.
	t.Nonce = rand.Text()
	text, _ := json.Marshal(t) // never fails for a ledger

	revision, err := b.States.SetState(ctx, b.Key(t.User), text, t.revision)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return false, nil
	}
	if errors.Is(err, storage.OutcomeUnknown) {
		isWritten := b.confirmWrite(ctx, t)
		if isWritten {
			return true, nil
		}
	}
	if err != nil {
		return false, err
	}

	// Remove the ledger of an older version that this one replaces.
	t.revision = revision
	if t.oldRevision != "" {
		// If the removal fails, the next Sweep repeats it.
		_ = b.States.RemoveState(ctx, OldPrefix+b.name(t.User), t.oldRevision)
		t.oldRevision = ""
	}
	return true, nil
}

// confirmWrite reads the stored ledger after a write of t with an unknown outcome, and reports whether that is known
// to have taken effect. It then sets the revision of t.
func (b *Book) confirmWrite(ctx context.Context, t *Text) bool {
	current, err := b.read(ctx, b.Key(t.User))
	// The Nonce is a random text that each write changes.
	if err != nil || current.Nonce != t.Nonce {
		return false
	}
	t.revision = current.revision
	// The next Sweep removes the ledger of an older version that t replaces.
	t.oldRevision = ""
	return true
}
