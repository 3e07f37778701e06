package memstore

import "github.com/tidwall/btree"

// An index finds objects by key, and walks them in the order of their keys. A
// read or an overwrite, which most calls are, looks into the hash table alone;
// the tree, which costs several times as much, is touched where a key comes or
// goes.
type index struct {
	slots map[string]*slot
	order btree.Map[string, *slot]
	spare []slot // for keys to come
}

// A slot is where the object of a key stands, for the table and the tree alike.
type slot struct{ object *object }

// slotsAtOnce are made in one piece: the garbage collector, whose work is what a
// busy store in memory costs most, has that many times fewer of them to visit.
const slotsAtOnce = 64

func newIndex() index { return index{slots: map[string]*slot{}} }

func (x *index) len() int { return len(x.slots) }

// get is the key's object, or nil.
func (x *index) get(key string) *object {
	if s := x.slots[key]; s != nil {
		return s.object
	}
	return nil
}

// set makes o the object of its key, and answers with the one before, or nil.
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
	if len(x.spare) == 0 {
		x.spare = make([]slot, slotsAtOnce)
	}
	s := &x.spare[0]
	x.spare = x.spare[1:]
	return s
}

func (x *index) remove(key string) {
	s := x.slots[key]
	if s == nil {
		return
	}
	delete(x.slots, key)
	x.order.Delete(key)
	s.object = nil // the slots made with it may live on
}

// iter walks the objects; the lock is held as long.
func (x *index) iter() btree.MapIter[string, *slot] { return x.order.Iter() }
