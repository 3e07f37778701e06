package uploads

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"
)

// A ticket is the content of a token: one upload that may be finished. The values are
// not in it, but it is valid only for them.
type ticket struct {
	random [randomBytes]byte // of the pending key
	issued time.Time         // to the second; the date in the final key
	size   int64             // bytes, as claimed; 0: not known
	name   string            // safe to show
	parts  Parts             // of a ticket in parts
	upload string            // the store's token of a ticket in parts; "": of any other
}

func (t ticket) inParts() bool { return t.upload != "" }

const (
	tokenWhole = 1 // the version of a token for one request
	tokenParts = 2 // and of one for a file in parts
	tokenFixed = 1 + randomBytes + 8 + 8
	// finishWithin is how long an upload may be finished after it could last start.
	// It allows for large files on slow lines, and a night's sleep. A file in parts is
	// sent in that time too.
	finishWithin = 24 * time.Hour
)

// tokens makes and checks the tokens of tickets.
type tokens struct {
	config   Config
	pattern  *pattern
	tokenKey []byte
	sealer   cipher.AEAD
}

// encode returns the token: its content and a MAC over that, the values and the
// place they lead to.
func (k *tokens) encode(t ticket, v values) string {
	b := make([]byte, 0, tokenFixed+len(t.name)+sha256.Size)
	version := byte(tokenWhole)
	if t.inParts() {
		version = tokenParts
	}
	b = append(b, version)
	b = append(b, t.random[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.issued.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.size))
	if t.inParts() {
		b = k.appendParts(b, t)
	} else {
		b = append(b, t.name...)
	}
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
	if !hmac.Equal(proof, k.sign(said, v).Sum(nil)) {
		return ticket{}, invalidTicket()
	}
	t := ticket{random: [randomBytes]byte(said[1:])}
	t.issued = time.Unix(int64(binary.BigEndian.Uint64(said[1+randomBytes:])), 0)
	t.size = int64(binary.BigEndian.Uint64(said[1+randomBytes+8:]))
	switch rest := said[tokenFixed:]; said[0] {
	case tokenWhole:
		t.name = string(rest)
	case tokenParts:
		if !k.readParts(&t, rest) {
			return ticket{}, invalidTicket()
		}
	default:
		return ticket{}, invalidTicket()
	}
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
	field(k.pattern.text)
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
func (k *tokens) finalRandom(t ticket) [randomBytes]byte {
	mac := hmac.New(sha256.New, k.tokenKey)
	mac.Write([]byte("omnibucket upload key"))
	mac.Write(t.random[:])
	return [randomBytes]byte(mac.Sum(nil))
}

func (k *tokens) pendingKey(t ticket) string {
	var b strings.Builder
	b.WriteString(k.config.Prefix)
	b.WriteString(randomText.EncodeToString(t.random[:]))
	return b.String()
}
