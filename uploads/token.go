package uploads

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// A ticket is the content of a token: one upload that may be finished. The values are
// not in it, but it is valid only for them.
type ticket struct {
	random keypattern.Random // of the pending key
	issued time.Time         // to the second; the date in the final key
	size   int64             // bytes, as claimed; 0: not known
	name   string            // safe to show
}

const (
	tokenVersion = 1
	tokenFixed   = 1 + len(keypattern.Random{}) + 8 + 8
	// finishWithin is how long an upload may be finished after it could last start.
	// It allows for large files on slow lines, and a night's sleep.
	finishWithin = 24 * time.Hour
)

// tokens makes and checks the tokens of tickets.
type tokens struct {
	config   Config
	pattern  *keypattern.Pattern
	tokenKey []byte
}

// encode returns the token: its content and a MAC over that, the values and the
// place they lead to.
func (k *tokens) encode(t ticket, v values) string {
	b := make([]byte, 0, tokenFixed+len(t.name)+sha256.Size)
	b = append(b, tokenVersion)
	b = append(b, t.random[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.issued.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.size))
	b = append(b, t.name...)
	return base64.RawURLEncoding.EncodeToString(k.sign(b, v).Sum(b))
}

// decode returns the content of a token. If the token was changed, or is for
// other values, another key or another place, it fails with NotFound.
func (k *tokens) decode(token string, v values) (ticket, *Error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < tokenFixed+sha256.Size {
		return ticket{}, invalidTicket()
	}
	said, proof := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(proof, k.sign(said, v).Sum(nil)) || said[0] != tokenVersion {
		return ticket{}, invalidTicket()
	}
	t := ticket{random: keypattern.Random(said[1:])}
	t.issued = time.Unix(int64(binary.BigEndian.Uint64(said[1+len(t.random):])), 0)
	t.size = int64(binary.BigEndian.Uint64(said[1+len(t.random)+8:]))
	t.name = string(said[tokenFixed:])
	if k.config.Now().After(k.end(t)) {
		return ticket{}, ticketTooOld()
	}
	return t, nil
}

// end returns when a ticket ends. Until then its file may be finished.
func (k *tokens) end(t ticket) time.Time {
	return t.issued.UTC().Truncate(time.Second).Add(k.config.UploadTTL + finishWithin)
}

func (k *tokens) sign(said []byte, v values) hash.Hash {
	mac := hmac.New(sha256.New, k.tokenKey)
	field := func(text string) {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		mac.Write([]byte(text))
	}
	field("omnibucket upload ticket")
	field(k.pattern.Text)
	field(k.config.Prefix)
	field(string(said))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		field(name)
		field(v[name])
	}
	return mac
}

// finalRandom returns the random part of the final key. The sender knows the pending
// key but cannot derive this one, so nobody requests an object that is still being
// inspected.
func (k *tokens) finalRandom(t ticket) keypattern.Random {
	mac := hmac.New(sha256.New, k.tokenKey)
	mac.Write([]byte("omnibucket upload key"))
	mac.Write(t.random[:])
	return keypattern.Random(mac.Sum(nil))
}

func (k *tokens) pendingKey(t ticket) string { return k.config.Prefix + t.random.String() }
