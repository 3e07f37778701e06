package a

import (
	"io"
	"sync"
)

type store struct{ path string }

func (*store) open() {}

type Record struct{ Key string }

func (Record) String() string { return "" }

type UnimplementedDriver struct{ closed bool }

func (UnimplementedDriver) Close() error { return nil }

type data struct{ size int }

type driver interface{ Close() error }

type byPointer struct {
	*store // want `byPointer inherits from \*store: give the field a name`
}

type byValue struct {
	store // want `byValue inherits from store: give the field a name`
}

type named struct{ store *store }

type allowed struct {
	Record
	UnimplementedDriver
	data
	sync.Mutex
	*io.LimitedReader
}

type wrapper struct{ driver }

type full struct{ UnimplementedDriver } // 37 of its own

func (*full) m0()  {}
func (*full) m1()  {}
func (*full) m2()  {}
func (*full) m3()  {}
func (*full) m4()  {}
func (*full) m5()  {}
func (*full) m6()  {}
func (*full) m7()  {}
func (*full) m8()  {}
func (*full) m9()  {}
func (*full) m10() {}
func (*full) m11() {}
func (*full) m12() {}
func (*full) m13() {}
func (*full) m14() {}
func (*full) m15() {}
func (*full) m16() {}
func (*full) m17() {}
func (*full) m18() {}
func (*full) m19() {}
func (*full) m20() {}
func (*full) m21() {}
func (*full) m22() {}
func (*full) m23() {}
func (*full) m24() {}
func (*full) m25() {}
func (*full) m26() {}
func (*full) m27() {}
func (*full) m28() {}
func (*full) m29() {}
func (*full) m30() {}
func (*full) m31() {}
func (*full) m32() {}
func (*full) m33() {}
func (*full) m34() {}
func (*full) m35() {}
func (*full) m36() {}
func (*full) m37() {}
func (*full) m38() {}
func (*full) m39() {}

type large struct{} // want `large has 46 methods, more than 40: divide it by subject`

func (*large) m0()  {}
func (*large) m1()  {}
func (*large) m2()  {}
func (*large) m3()  {}
func (*large) m4()  {}
func (*large) m5()  {}
func (*large) m6()  {}
func (*large) m7()  {}
func (*large) m8()  {}
func (*large) m9()  {}
func (*large) m10() {}
func (*large) m11() {}
func (*large) m12() {}
func (*large) m13() {}
func (*large) m14() {}
func (*large) m15() {}
func (*large) m16() {}
func (*large) m17() {}
func (*large) m18() {}
func (*large) m19() {}
func (*large) m20() {}
func (*large) m21() {}
func (*large) m22() {}
func (*large) m23() {}
func (*large) m24() {}
func (*large) m25() {}
func (*large) m26() {}
func (*large) m27() {}
func (*large) m28() {}
func (*large) m29() {}
func (*large) m30() {}
func (*large) m31() {}
func (*large) m32() {}
func (*large) m33() {}
func (*large) m34() {}
func (*large) m35() {}
func (*large) m36() {}
func (*large) m37() {}
func (*large) m38() {}
func (*large) m39() {}
func (*large) m40() {}
func (*large) m41() {}
func (*large) m42() {}
func (*large) m43() {}
func (*large) m44() {}
func (*large) m45() {}
