package encrypt

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/omnibucket/storage"
)

// headerName is the name of the metadata entry with an object's header. The entry begins with a
// header as in an age file, with "|" in place of newlines, because metadata cannot have newlines.
// The entry ends with the nonce of the payload and the HMAC that the method proof returns, in
// base64.
const headerName = "omnibucketage"

const (
	dataKeySize = 16
	nonceSize   = 16
	proofSize   = sha256.Size
	maxKnown    = 1024 // data keys that a driver remembers
)

// A dataKey is the key with which the content of one object is encrypted.
type dataKey struct {
	secret [dataKeySize]byte
	nonce  [nonceSize]byte
	header string // the object's header, in the form in which the metadata has it
	cipher.AEAD
	checkedSize atomic.Int64 // bytes of the object in the store; 0 until its last chunk was checked
	unstored    sync.Map     // *sentPart of each part that the store may not have yet, by part number
}

// newDataKey returns a random data key for a new object, with its header.
func (d *objectDriver) newDataKey(ctx context.Context, key string) (*dataKey, error) {
	if d.desc.Features&storage.Metadata == 0 {
		return nil, &storage.Error{Code: storage.Unsupported, Hint: "encryption needs a store that keeps metadata"}
	}

	k := &dataKey{}
	_, _ = rand.Read(k.secret[:]) // never fails
	_, _ = rand.Read(k.nonce[:])
	header, err := d.layer.header(ctx, k, Object{d.desc.Bucket, key})
	if err != nil {
		return nil, err
	}
	k.header = header
	if err := k.initCipher(); err != nil {
		return nil, err
	}
	return k, nil
}

// initCipher makes the cipher for the content. Its key is derived from the data key and the nonce, as
// age's specification says.
func (k *dataKey) initCipher() error {
	payloadKey, err := hkdf.Key(sha256.New, k.secret[:], k.nonce[:], "payload", chacha20poly1305.KeySize)
	if err != nil {
		return err
	}
	k.AEAD, err = chacha20poly1305.New(payloadKey)
	return err
}

// mac returns the HMAC of text, with a key that is derived from the data key for this purpose.
func (k *dataKey) mac(purpose string, text ...[]byte) []byte {
	derived, err := hkdf.Key(sha256.New, k.secret[:], nil, purpose, sha256.Size)
	if err != nil {
		// HKDF fails only if the length is out of range.
		panic(err)
	}

	h := hmac.New(sha256.New, derived)
	for _, t := range text {
		_, _ = h.Write(t)
	}
	return h.Sum(nil)
}

// proof returns an HMAC that binds the data key and the nonce to the name of the object. A header
// of age does not contain the name. Without the HMAC, an object would be valid under any name.
func (k *dataKey) proof(key string) []byte {
	return k.mac("github.com/omnibucket/storage/layers/encrypt name", k.nonce[:], []byte(key))
}

// header returns the header of an object: the data key, encrypted for the keys of the layer, in the
// form of an age file, with a nonce and a proof of the object's name.
func (l *layer) header(ctx context.Context, k *dataKey, obj Object) (string, error) {
	stanzas, err := l.config.Keys.Wrap(ctx, k.secret[:], obj)
	if err != nil {
		return "", keysError(err)
	}
	if err := checkStanzas(stanzas); err != nil {
		return "", err
	}

	text := &strings.Builder{}
	text.WriteString("age-encryption.org/v1\n")
	for _, s := range stanzas {
		writeStanza(text, s)
	}
	text.WriteString("---")

	mac := k.mac("header", []byte(text.String()))
	text.WriteString(" " + base64.RawStdEncoding.EncodeToString(mac) + "\n")

	// A value of metadata cannot have newlines, so "|" replaces them.
	tail := slices.Concat(k.nonce[:], k.proof(obj.Key))
	return strings.ReplaceAll(text.String(), "\n", "|") + base64.RawStdEncoding.EncodeToString(tail), nil
}

// checkStanzas fails if the stanzas, which are encrypted forms of the data key, cannot be stored in a
// header, or if one of them would weaken another.
func checkStanzas(stanzas []*age.Stanza) error {
	if len(stanzas) == 0 {
		return &storage.Error{Code: storage.Internal, Err: errors.New("Keys.Wrap has returned no stanza")}
	}

	types := map[string]bool{}
	for _, s := range stanzas {
		types[s.Type] = true
		for _, word := range append([]string{s.Type}, s.Args...) {
			if !isStanzaWord(word) {
				return &storage.Error{
					Code: storage.Internal,
					Err:  errors.New("the words of a stanza must be ASCII without spaces and |"),
				}
			}
		}
	}

	// A passphrase must be the only recipient.
	if types["scrypt"] && len(stanzas) > 1 {
		return errMixedRecipients()
	}
	// A computer that breaks X25519 would also decrypt what a post-quantum recipient protects.
	if types["mlkem768x25519"] && types["X25519"] {
		return errMixedRecipients()
	}
	return nil
}

// isStanzaWord reports whether word can be the type or an argument of a stanza in a header.
func isStanzaWord(word string) bool {
	isForbidden := func(c rune) bool { return c <= ' ' || c > '~' || c == '|' }
	return word != "" && !strings.ContainsFunc(word, isForbidden)
}

// writeStanza writes s in the form of age: a line for the type and the arguments, and then the body in
// lines of 64 characters, the last of which is shorter.
func writeStanza(b *strings.Builder, s *age.Stanza) {
	const lineLength = 64
	b.WriteString("-> " + strings.Join(append([]string{s.Type}, s.Args...), " ") + "\n")
	body := base64.RawStdEncoding.EncodeToString(s.Body)
	for len(body) >= lineLength {
		b.WriteString(body[:lineLength] + "\n")
		body = body[lineLength:]
	}
	b.WriteString(body + "\n")
}

// splitHeader splits the header of an object into a header as in an age file, and a tail with the nonce
// and the proof.
func splitHeader(header string) (text, tail []byte, err error) {
	end := strings.LastIndexByte(header, '|') + 1
	tail, err = base64.RawStdEncoding.Strict().DecodeString(header[end:])
	if err != nil || len(tail) != nonceSize+proofSize {
		return nil, nil, errDamaged("the header is damaged")
	}
	return []byte(strings.ReplaceAll(header[:end], "|", "\n")), tail, nil
}

// Header returns the header of an encrypted object, or nil if the object is not encrypted. The header,
// followed by the bytes in the store, is a file in the format of age. metadata must come from a driver
// or from the provider's own client, because a [storage.Bucket] does not return the header.
//
// It fails with ChecksumMismatch if the header is damaged.
func Header(metadata map[string]string) ([]byte, error) {
	if metadata[headerName] == "" {
		return nil, nil
	}
	text, tail, err := splitHeader(metadata[headerName])
	if err != nil {
		return nil, err
	}
	return append(text, tail[:nonceSize]...), nil
}

// An unwrapCall is a call of unwrapWith that has not returned yet. Other calls that need the same data key
// wait for the result.
type unwrapCall struct {
	done      chan struct{}
	key       *dataKey
	err       error
	hasResult bool // false if the call was canceled or has panicked, which says nothing about the key
}

// open returns the data key in the header of an object. If several calls need the same key at once,
// only one of them unwraps it.
func (d *objectDriver) open(ctx context.Context, obj Object, header string) (*dataKey, error) {
	name := obj.Bucket + "\x00" + obj.Key + "\x00" + header
	for {
		key, call, isNew := d.startCall(name)
		if key != nil {
			return key, nil
		}
		if isNew {
			return d.runCall(ctx, name, call, obj, header)
		}

		// Another call unwraps the key, so wait for its result. Without a result, try again.
		select {
		case <-call.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if call.hasResult {
			return call.key, call.err
		}
	}
}

// startCall returns the data key that the driver remembers under name, or else the call that unwraps it. If isNew is
// true, nobody has made the call yet, and the caller must make it with runCall.
func (d *objectDriver) startCall(name string) (key *dataKey, call *unwrapCall, isNew bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if key := d.known[name]; key != nil {
		return key, nil, false
	}
	if call := d.calls[name]; call != nil {
		return nil, call, false
	}
	call = &unwrapCall{done: make(chan struct{})}
	d.calls[name] = call
	return nil, call, true
}

// runCall unwraps a data key, and wakes the calls that wait for it, even if the layer's Keys panic.
func (d *objectDriver) runCall(
	ctx context.Context, name string, call *unwrapCall, obj Object, header string,
) (*dataKey, error) {
	defer d.endCall(name, call)
	call.key, call.err = unwrapWith(ctx, d.layer.config.Keys, obj, header)
	call.hasResult = ctx.Err() == nil
	return call.key, call.err
}

// endCall remembers the data key of a call, if it has one, and wakes the calls that wait for it.
func (d *objectDriver) endCall(name string, call *unwrapCall) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.calls, name)
	if len(d.known) >= maxKnown {
		clear(d.known)
	}
	if call.key != nil {
		d.known[name] = call.key
	}
	close(call.done)
}

// unwrapWith decrypts the data key in the header of an object with the given keys, and fails if the
// header was made for another object.
func unwrapWith(ctx context.Context, keys Keys, obj Object, header string) (*dataKey, error) {
	text, tail, err := splitHeader(header)
	if err != nil {
		return nil, err
	}

	u := &unwrapper{ctx: ctx, keys: keys, object: obj}
	secret, err := age.DecryptHeader(text, u)
	// The error of the keys comes first: err is what age makes of it.
	if u.err != nil {
		return nil, keysError(u.err)
	}
	if err != nil || len(secret) != dataKeySize {
		return nil, errDamaged("the header is damaged")
	}

	k := &dataKey{header: header}
	copy(k.secret[:], secret)
	// The tail of the header has the nonce, and the proof of the object's name.
	copy(k.nonce[:], tail)
	if !hmac.Equal(k.proof(obj.Key), tail[nonceSize:]) {
		return nil, errDamaged("the object was encrypted under another key (name)")
	}
	if err := k.initCipher(); err != nil {
		return nil, err
	}
	return k, nil
}

// An unwrapper is an age.Identity for one object. Its method Unwrap calls keys.Unwrap, and stores
// the error in err, because package age does not return that error unchanged.
type unwrapper struct {
	ctx    context.Context // of the call, because the method of age.Identity takes none
	keys   Keys
	object Object
	err    error
}

// Unwrap implements age.Identity.
func (u *unwrapper) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	secret, err := u.keys.Unwrap(u.ctx, stanzas, u.object)
	u.err = err
	return secret, err
}

var errOtherKeys = errors.New("the keys do not decrypt the object's data key")

// keysError returns the error of an operation for an error of the layer's Keys. An error with a code,
// or that of a context, is returned unchanged.
func keysError(err error) error {
	if _, ok := errors.AsType[*storage.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return &storage.Error{
			Code: storage.PermissionDenied,
			Err:  errOtherKeys,
			Hint: "the object was encrypted for other keys, or its header was changed",
		}
	}
	return &storage.Error{Code: storage.Internal, Err: err}
}

// errDamaged returns the error for an object whose bytes have changed since their encryption.
func errDamaged(what string) error {
	return &storage.Error{Code: storage.ChecksumMismatch, Err: errors.New(what)}
}
