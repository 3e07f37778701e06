package storage

import (
	"strings"

	"github.com/omnibucket/storage/internal/core/effect"
)

// Effects say what an operation does to a bucket. A [Hook] gets the effects of each operation, so
// it needs no list of the names of operations. If an operation gives somebody else access, it also
// has the effects of that access. For example, SignedRemoveURL has EffectSign and EffectRemove.
type Effects uint16

// The effects. The page docs/hooks.md lists the effects of each operation.
const (
	EffectRead       = Effects(effect.Read)       // reads the content of an object
	EffectWrite      = Effects(effect.Write)      // stores an object or a part, or changes tags, locks or archive state
	EffectRemove     = Effects(effect.Remove)     // removes an object or a version
	EffectList       = Effects(effect.List)       // lists keys
	EffectDescribe   = Effects(effect.Describe)   // reads attributes, tags or parts, or whether an object exists
	EffectSign       = Effects(effect.Sign)       // returns a URL or form, for the other effects of the operation
	EffectVend       = Effects(effect.Vend)       // returns credentials or a client, for the other effects of the operation
	EffectAdminister = Effects(effect.Administer) // reads or changes buckets of an account
)

var effectNames = [...]string{"read", "write", "remove", "list", "describe", "sign", "vend", "administer"}

// String returns the names of the effects, such as "remove, sign", or "none".
func (e Effects) String() string {
	if e == 0 {
		return "none"
	}
	var names []string
	for i, name := range effectNames {
		if e&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
