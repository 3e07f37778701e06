package driver

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
)

// StackIdentity returns an identity of the store as d shows it. It covers the place of the bucket,
// and the layers of d that change bytes or have a second store. Use it as the name of data that a
// program keeps about objects, such as a cache or a journal. The bytes of an object differ if the
// layers differ. With StackIdentity, data for different layers has different names.
//
// The identity is 64 hexadecimal digits, without secrets. It is the same in every process, if
// [Description.Location] and [Description.Stack] are the same. For a bucket in memory, they differ
// in each process. StackIdentity makes no request.
func StackIdentity(d Driver) string {
	desc := d.Describe()
	return hashOf(append([]string{"omnibucket stack 1", desc.Provider, desc.Location, desc.Bucket}, desc.Stack...)...)
}

// hashOf returns the SHA-256 of several texts. It hashes the length of each text, too, so that
// other texts with the same concatenation have another hash.
func hashOf(fields ...string) string {
	hash := sha256.New()
	for _, field := range fields {
		_ = binary.Write(hash, binary.BigEndian, int64(len(field))) // writing to a hash never fails
		_, _ = io.WriteString(hash, field)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
