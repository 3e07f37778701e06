package checksum

// Elements is a checksum in XML.
type Elements struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumSHA512    string `xml:",omitempty"`
	ChecksumMD5       string `xml:",omitempty"`
}

// MissingElements are the elements for checksums that no upload of this server can have.
type MissingElements struct {
	ChecksumXXHASH64, ChecksumXXHASH3, ChecksumXXHASH128 string
}

// Of returns the element for a kind.
func (e *Elements) Of(kind *Kind) *string { return kind.element(e) }

func ElementsOf(sum Sum) (e Elements) {
	if sum.Kind != nil {
		*e.Of(sum.Kind) = sum.Value
	}
	return e
}
