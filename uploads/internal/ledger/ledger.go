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
)

const (
	// Prefix is the first part of the key of each ledger.
	Prefix = "files/usage/"
	suffix = "/state.json" // last part of the key of every state, including ledgers
)

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
	Run     string    `json:"run,omitempty"`
	At      time.Time `json:"at"`
	Until   time.Time `json:"until,omitzero"`    // after this time, the entry is dead; the zero time means no limit
	Removal string    `json:"removal,omitempty"` // ID of the removal; "" for an upload
}

// A Text is the content of one ledger.
type Text struct {
	User    string           `json:"user"`
	Bytes   int64            `json:"bytes"` // size of the complete files
	Files   int64            `json:"files"`
	Entries map[string]Entry `json:"entries,omitempty"` // keys are the names of reservations and removals
	// Nonce is a random text. Without it, two equal texts would have the same revision in a store
	// that derives revisions from the content.
	Nonce string `json:"nonce"`

	revision string
}

// Pending returns the total bytes and files of all entries.
func (t *Text) Pending() (bytes, files int64) {
	for _, e := range t.Entries {
		bytes, files = bytes+e.Bytes, files+e.Files
	}
	return bytes, files
}

// Key returns the key of a user's ledger in b.States.
func (b *Book) Key(user string) string {
	sum := sha256.Sum256([]byte(b.Scope + "\x00" + user))
	return Prefix + hex.EncodeToString(sum[:20]) + suffix
}

// IsKey reports whether key is the key of a ledger.
func IsKey(key string) bool {
	name, below := strings.CutPrefix(key, Prefix)
	return below && len(name) == 40+len(suffix) && strings.HasSuffix(name, suffix)
}

// A Book reads and updates the ledgers of all users.
type Book struct {
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
	// Sizes maps the names of reservations to the sizes of their files, which are now known.
	// Reserve reduces those reservations to these sizes.
	Sizes map[string]int64
}

// Reserve reserves as many bytes as the limit allows, between Least and Most, and returns their
// number. It replaces an older reservation with the same name. If the limit does not allow Least
// bytes, it fails with [ErrOver]. If the user has too many unfinished uploads, it fails with
// [ErrBusy].
func (b *Book) Reserve(ctx context.Context, r Reservation, limit Limit) (granted int64, err error) {
	err = b.update(ctx, r.User, func(t *Text, _ bool) (bool, error) {
		delete(t.Entries, r.Name)
		for _, name := range r.Replaces {
			delete(t.Entries, name)
		}
		for name, size := range r.Sizes {
			if e, there := t.Entries[name]; there {
				e.Bytes = min(e.Bytes, size)
				t.Entries[name] = e
			}
		}
		if len(t.Entries) >= maxEntries {
			return false, ErrBusy
		}
		granted = r.Most
		bytes, files := t.Pending()
		used := &OverError{t.Bytes + bytes, t.Files + files}
		if limit.Bytes != 0 {
			granted = min(granted, max(limit.Bytes, 0)-used.Bytes)
		}
		if granted < r.Least || limit.Files != 0 && used.Files+r.Entry.Files > max(limit.Files, 0) {
			return false, used
		}
		e := r.Entry
		if e.At = b.now(); granted < math.MaxInt64 {
			e.Bytes = granted
		}
		t.Entries[r.Name] = e
		return true, nil
	})
	return granted, err
}

func (b *Book) now() time.Time { return b.Now().UTC().Truncate(time.Second) }

// Entry returns the entry with this name, and whether it exists. The result may be outdated,
// because another process may have dropped the entry since.
func (b *Book) Entry(ctx context.Context, user, name string) (e Entry, there bool, err error) {
	err = b.update(ctx, user, func(t *Text, _ bool) (bool, error) {
		if e, there = t.Entries[name]; there {
			return false, errFound
		}
		return false, nil
	})
	return e, there, err
}

// Settle replaces a reservation by a complete file of this size. It returns false if the
// reservation does not exist: an earlier call may have settled it, or a recount may have dropped it
// as dead.
func (b *Book) Settle(ctx context.Context, user, name string, size int64) (found bool, err error) {
	err = b.update(ctx, user, func(t *Text, lost bool) (bool, error) {
		e, there := t.Entries[name]
		if !there {
			// If the response to an earlier write of this call was lost, the earlier write may have
			// settled the reservation. In this case, the reservation counts as found.
			found = lost
			return false, nil
		}
		found = true
		delete(t.Entries, name)
		t.Bytes, t.Files = t.Bytes+size, t.Files+e.Files
		return true, nil
	})
	return found, err
}

// Drop removes the reservation of an upload that stored nothing.
func (b *Book) Drop(ctx context.Context, user, name string) error {
	return b.update(ctx, user, func(t *Text, _ bool) (bool, error) {
		_, there := t.Entries[name]
		delete(t.Entries, name)
		return there, nil
	})
}

// Add counts a file whose reservation is lost. The file may have been counted already, so Add also
// marks the ledger for a recount.
func (b *Book) Add(ctx context.Context, user string, size int64) error {
	return b.update(ctx, user, func(t *Text, _ bool) (bool, error) {
		t.Bytes, t.Files = t.Bytes+size, t.Files+1
		b.doubt(t)
		return true, nil
	})
}

// Doubt marks the ledger of a user for a recount. It adds an entry that is dead from the beginning.
// A Sweep that finds a dead entry counts the files of the user again.
func (b *Book) Doubt(ctx context.Context, user string) error {
	return b.update(ctx, user, func(t *Text, _ bool) (bool, error) {
		b.doubt(t)
		return true, nil
	})
}

func (b *Book) doubt(t *Text) {
	now := b.now()
	t.Entries["doubt"] = Entry{At: now, Until: now}
}

// A Removal identifies a removal that BeginRemoval has begun.
type Removal struct {
	User, Key, ID string
	Joined        bool // true if another call began it
}

func (r Removal) name() string { return "remove " + r.Key }

// BeginRemoval begins the removal of a file. It subtracts the file from the count, and adds an
// entry for the removal. If another call is removing the same file, BeginRemoval changes nothing,
// and returns the Removal of that call. In both cases, the caller must then check whether the file
// still exists, and call EndRemoval.
func (b *Book) BeginRemoval(ctx context.Context, user, key string, e Entry) (Removal, error) {
	own := rand.Text()
	r := Removal{User: user, Key: key}
	err := b.update(ctx, user, func(t *Text, _ bool) (bool, error) {
		if other, there := t.Entries[r.name()]; there {
			r.ID, r.Joined = other.Removal, other.Removal != own
			return false, nil
		}
		r.ID, r.Joined = own, false
		e.Removal, e.At = own, b.now()
		t.Entries[r.name()] = e
		t.Bytes, t.Files = t.Bytes-e.Bytes, t.Files-e.Files
		return true, nil
	})
	return r, err
}

// EndRemoval drops the entry of a removal from the ledger. If restore is true, EndRemoval also adds
// the file to the count again. The caller sets restore if the file stays. It also sets restore if
// an earlier removal has subtracted the same file.
//
// If the entry is missing, EndRemoval does not change the count. If the caller itself began the
// removal, a recount has dropped the entry as dead. That recount may have counted the file before
// it was removed. EndRemoval then marks the ledger for another recount.
func (b *Book) EndRemoval(ctx context.Context, r Removal, restore bool) error {
	return b.update(ctx, r.User, func(t *Text, _ bool) (bool, error) {
		e, there := t.Entries[r.name()]
		switch {
		case !there && !r.Joined:
			b.doubt(t)
			return true, nil
		case !there || e.Removal != r.ID:
			return false, nil
		}
		delete(t.Entries, r.name())
		if restore {
			t.Bytes, t.Files = t.Bytes+e.Bytes, t.Files+e.Files
		}
		return true, nil
	})
}

// Recount replaces the count of a user. It calls the function count to change the ledger. The
// function count must drop dead entries: uploads and removals that nobody will complete. It must
// set Bytes and Files to the totals of the user's stored files. A file with an entry must not be
// part of the totals. If the ledger changes meanwhile, Recount calls count again.
func (b *Book) Recount(ctx context.Context, user string, count func(*Text) error) error {
	return b.update(ctx, user, func(t *Text, _ bool) (bool, error) {
		if err := count(t); err != nil {
			return false, err
		}
		return true, nil
	})
}

// Read returns the ledger of a user. If there is none, it returns an empty one.
func (b *Book) Read(ctx context.Context, user string) (*Text, error) { return b.read(ctx, b.Key(user)) }

// ReadKey returns the ledger with this key. If it does not exist, or belongs to a Book with another
// Scope, ReadKey returns nil.
func (b *Book) ReadKey(ctx context.Context, key string) (*Text, error) {
	t, err := b.read(ctx, key)
	if err != nil || t.revision == "" || b.Key(t.User) != key {
		return nil, err
	}
	return t, nil
}

func (b *Book) read(ctx context.Context, key string) (*Text, error) {
	t := &Text{Entries: map[string]Entry{}}
	text, revision, err := b.States.State(ctx, key)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return t, nil
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(text, t); err != nil {
		return nil, &storage.Error{Code: storage.Internal, Key: key, Err: err}
	}
	t.revision = revision
	return t, nil
}

// write stores a changed ledger. If another call has changed it since it was read, write stores
// nothing and returns false.
func (b *Book) write(ctx context.Context, t *Text) (saved bool, err error) {
	t.Nonce = rand.Text()
	text, _ := json.Marshal(t) // never fails
	revision, err := b.States.SetState(ctx, b.Key(t.User), text, t.revision)
	switch {
	case err == nil:
		t.revision = revision
		return true, nil
	case storage.CodeOf(err) == storage.PreconditionFailed:
		return false, nil
	case !errors.Is(err, storage.OutcomeUnknown):
		return false, err
	}
	now, failed := b.read(ctx, b.Key(t.User))
	if failed != nil || now.Nonce != t.Nonce {
		return false, err
	}
	t.revision = now.revision
	return true, nil
}
