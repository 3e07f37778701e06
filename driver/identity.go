package driver

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
)

// StackIdentity returns a text that identifies a bucket and the layers above it. Only layers that
// change bytes or have a second store affect the text. Use the text as the name of data that a
// program keeps about objects, such as a cache or a journal. Different layers may show different
// bytes of the same object, so they get different names.
//
// The text is 64 hexadecimal digits, without secrets. If [Description.Location] and
// [Description.Stack] are the same in every process, the text is also the same. For a bucket in
// memory, the text differs in each process. StackIdentity makes no request.
func StackIdentity(d Driver) string {
	desc := d.Describe()
	return hashOf(append([]string{"omnibucket stack 1", desc.Provider, desc.Location, desc.Bucket}, desc.Stack...)...)
}

// hashOf returns the SHA-256 of several texts and their lengths, so that "ab" and "c" do not have the
// hash of "a" and "bc".
func hashOf(fields ...string) string {
	hash := sha256.New()
	for _, field := range fields {
		// Writing to a hash never fails.
		_ = binary.Write(hash, binary.BigEndian, int64(len(field)))
		_, _ = io.WriteString(hash, field)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
