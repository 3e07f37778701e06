package checksum

// Elements has the XML elements for a checksum. In a response, at most one of them is set.
type Elements struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumSHA512    string `xml:",omitempty"`
	ChecksumMD5       string `xml:",omitempty"`
}

// MissingElements has the XML elements of the checksums that this server does not implement.
type MissingElements struct {
	ChecksumXXHASH64, ChecksumXXHASH3, ChecksumXXHASH128 string
}

// Of returns a pointer to the field of e that has the checksum of this kind.
func (e *Elements) Of(kind *Kind) *string { return kind.element(e) }

// ElementsOf returns the XML elements for a checksum, of which only that of its kind is set.
func ElementsOf(sum Sum) (e Elements) {
	if sum.Kind != nil {
		*e.Of(sum.Kind) = sum.Value
	}
	return e
}
