package memstore

import "github.com/tidwall/btree"

// An index finds objects by key and iterates over them in the order of their keys. A
// read or an overwrite, as most calls are, only uses the hash table. The tree costs
// several times as much, and is only changed when a key is added or removed.
type index struct {
	slots map[string]*slot
	order btree.Map[string, *slot]
	free  []slot // slots that new keys take
}

// A slot holds the object of a key, for both the table and the tree.
type slot struct{ object *object }

// slotBlock is the number of slots in one allocation. Garbage collection is the largest cost of
// a busy store in memory; with blocks, it has fewer allocations to visit.
const slotBlock = 64

func newIndex() index { return index{slots: map[string]*slot{}} }

func (x *index) len() int { return len(x.slots) }

// get returns the object of the key, or nil.
func (x *index) get(key string) *object {
	if s := x.slots[key]; s != nil {
		return s.object
	}
	return nil
}

// set makes o the object of its key and returns the previous one, or nil.
func (x *index) set(o *object) (old *object) {
	if s := x.slots[o.key]; s != nil {
		old, s.object = s.object, o
		return old
	}
	s := x.newSlot()
	s.object = o
	x.slots[o.key] = s
	x.order.Set(o.key, s)
	return nil
}

func (x *index) newSlot() *slot {
	if len(x.free) == 0 {
		x.free = make([]slot, slotBlock)
	}
	s := &x.free[0]
	x.free = x.free[1:]
	return s
}

func (x *index) remove(key string) {
	s := x.slots[key]
	if s == nil {
		return
	}
	delete(x.slots, key)
	x.order.Delete(key)
	s.object = nil // other slots of the block may stay in use
}

// iter returns an iterator over the objects. The caller holds the lock while using it.
func (x *index) iter() btree.MapIter[string, *slot] { return x.order.Iter() }
