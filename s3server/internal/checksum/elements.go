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

// MissingElements are those that no upload of this server can have.
type MissingElements struct {
	ChecksumXXHASH64, ChecksumXXHASH3, ChecksumXXHASH128 string
}

// Of returns the element for a kind.
func (e *Elements) Of(kind *Kind) *string {
	switch kind.Name {
	case "CRC32":
		return &e.ChecksumCRC32
	case "CRC32C":
		return &e.ChecksumCRC32C
	case "CRC64NVME":
		return &e.ChecksumCRC64NVME
	case "SHA1":
		return &e.ChecksumSHA1
	case "SHA512":
		return &e.ChecksumSHA512
	case "MD5":
		return &e.ChecksumMD5
	}
	return &e.ChecksumSHA256
}

func ElementsOf(sum Sum) (e Elements) {
	if sum.Kind != nil {
		*e.Of(sum.Kind) = sum.Value
	}
	return e
}
