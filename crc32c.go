package storage

import (
	"encoding/json"
	"fmt"
)

// A CRC32C is a checksum (Castagnoli) that may be unknown, as the zero value is. In JSON it
// is a number, or null.
type CRC32C struct {
	Sum   uint32 // 0 if it is not known
	Known bool
}

// KnownCRC32C returns the known checksum sum.
func KnownCRC32C(sum uint32) CRC32C { return CRC32C{Sum: sum, Known: true} }

// String returns the checksum as 8 hexadecimal digits; "" if it is not known.
func (c CRC32C) String() string {
	if !c.Known {
		return ""
	}
	return fmt.Sprintf("%08x", c.Sum)
}

// MarshalJSON implements [json.Marshaler].
func (c CRC32C) MarshalJSON() ([]byte, error) {
	if !c.Known {
		return []byte("null"), nil
	}
	return json.Marshal(c.Sum)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *CRC32C) UnmarshalJSON(data []byte) error {
	var sum *uint32
	if err := json.Unmarshal(data, &sum); err != nil {
		return err
	}
	*c = CRC32C{}
	if sum != nil {
		*c = KnownCRC32C(*sum)
	}
	return nil
}
