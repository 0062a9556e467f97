"""The same programs in every language, for the tests of what all languages promise.

Where Python is missing, test_run.py or test_escape.py has the same test.
"""

from plaudit.schemas.sandbox import Language

COMPILED: tuple[Language, ...] = ("c", "cpp", "java", "go", "rust")

GREETS: dict[Language, str] = {
    "python": """
import sys
print(int(input()) + 1, *sys.argv[1:])
sys.stderr.write("note")
sys.exit(3 if len(sys.argv) == 1 else 0)
""",
    "javascript": """
const args = process.argv.slice(2)
console.log([parseInt(require("fs").readFileSync(0)) + 1, ...args].join(" "))
process.stderr.write("note")
process.exitCode = args.length ? 0 : 3
""",
    "c": """
#include <stdio.h>
int main(int n, char **args) {
    int x;
    scanf("%d", &x);
    printf("%d", x + 1);
    for (int i = 1; i < n; i++) printf(" %s", args[i]);
    puts("");
    fputs("note", stderr);
    return n == 1 ? 3 : 0;
}
""",
    "cpp": """
#include <iostream>
int main(int n, char **args) {
    int x;
    std::cin >> x;
    std::cout << x + 1;
    for (int i = 1; i < n; i++) std::cout << ' ' << args[i];
    std::cout << std::endl;
    std::cerr << "note";
    return n == 1 ? 3 : 0;
}
""",
    "java": """
import java.util.*;
public class Main {
    public static void main(String[] args) {
        int x = new Scanner(System.in).nextInt();
        List<String> words = new ArrayList<>(List.of("" + (x + 1)));
        words.addAll(List.of(args));
        System.out.println(String.join(" ", words));
        System.err.print("note");
        System.exit(args.length == 0 ? 3 : 0);
    }
}
""",
    "bash": """
read -r x
echo $(( $(echo "$x" | cat) + 1 )) "$@"
printf note >&2
[ $# -gt 0 ] || exit 3
""",
    "go": """
package main
import ("fmt"; "os"; "strings")
func main() {
    var x int
    fmt.Scan(&x)
    fmt.Println(strings.Join(append([]string{fmt.Sprint(x + 1)}, os.Args[1:]...), " "))
    fmt.Fprint(os.Stderr, "note")
    if len(os.Args) == 1 { os.Exit(3) }
}
""",
    "rust": """
use std::{env, io, process};
fn main() {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    let mut words = vec![(line.trim().parse::<i64>().unwrap() + 1).to_string()];
    words.extend(env::args().skip(1));
    println!("{}", words.join(" "));
    eprint!("note");
    if env::args().count() == 1 { process::exit(3); }
}
""",
}
"""Reads a number, prints the next one and its arguments, writes `note` to stderr; 3 without any."""

PRINTS_ON: dict[Language, str] = {
    "javascript": "for (;;) require('fs').writeSync(1, 'x'.repeat(1 << 20))",
    "c": '#include <stdio.h>\nint main(void) { for (;;) puts("xxxxxxxxxxxxxxxxxxxxxxx"); }',
    "cpp": '#include <iostream>\nint main() { for (;;) std::cout << "xxxxxxxxxxxxxxxxx\\n"; }',
    "java": (
        "public class Main { public static void main(String[] a) "
        '{ for (;;) System.out.println("xxxxxxxxxxxxx"); } }'
    ),
    "bash": "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxx; done",
    "go": 'package main\nimport "fmt"\nfunc main() { for { fmt.Println("xxxxxxxxxxxxxxxxxx") } }',
    "rust": 'fn main() { loop { println!("xxxxxxxxxxxxxxxxx"); } }',
}

TAKES_ALL_MEMORY: dict[Language, str] = {
    "javascript": "const all = []; for (;;) all.push(new Array(1000).fill(1.5))",
    "cpp": (
        "#include <vector>\nint main() { std::vector<char *> all; "
        "for (;;) all.push_back(new char[1 << 20]()); }"
    ),
    "java": (
        "import java.util.*; public class Main { public static void main(String[] a) "
        "{ List<byte[]> all = new ArrayList<>(); for (;;) all.add(new byte[1 << 20]); } }"
    ),
    "bash": "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done",
    "go": (
        "package main\nfunc main() { var all [][]byte; for { one := make([]byte, 1<<20); "
        "for i := range one { one[i] = 1 }; all = append(all, one) } }"
    ),
    "rust": "fn main() { let mut all = Vec::new(); loop { all.push(vec![1u8; 1 << 20]); } }",
}
"""C is left out: malloc tells the program, and what the program makes of that is its own affair."""

SPINS: dict[Language, str] = {
    "javascript": "for (;;);",
    "c": "int main(void) { for (volatile int i = 0;; i++); }",
    "java": "public class Main { public static void main(String[] a) { for (;;); } }",
    "bash": "while :; do :; done",
    "go": "package main\nfunc main() { for { } }",
    "rust": "fn main() { loop { std::hint::spin_loop(); } }",
}

USES_THREADS: dict[Language, str] = {
    "javascript": """
const { Worker, isMainThread } = require("worker_threads")
let done = 0
if (isMainThread)
    for (let i = 0; i < 4; i++)
        new Worker(__filename).on("exit", () => { if (++done == 4) console.log("4 done") })
""",
    "c": """
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
atomic_int done;
void *work(void *x) { done++; return x; }
int main(void) {
    pthread_t all[4];
    for (int i = 0; i < 4; i++) if (pthread_create(all + i, 0, work, 0)) return 1;
    for (int i = 0; i < 4; i++) pthread_join(all[i], 0);
    printf("%d done\\n", done);
}
""",
    "java": """
import java.util.concurrent.atomic.*;
public class Main {
    public static void main(String[] args) throws Exception {
        AtomicInteger done = new AtomicInteger();
        Thread[] all = new Thread[4];
        for (int i = 0; i < 4; i++) (all[i] = new Thread(done::incrementAndGet)).start();
        for (Thread one : all) one.join();
        System.out.println(done + " done");
    }
}
""",
    "go": """
package main
import ("fmt"; "sync"; "sync/atomic")
func main() {
    var done int32
    var all sync.WaitGroup
    for i := 0; i < 4; i++ { all.Add(1); go func() { atomic.AddInt32(&done, 1); all.Done() }() }
    all.Wait()
    fmt.Println(done, "done")
}
""",
    "rust": """
use std::thread;
fn main() {
    let all: Vec<_> = (0..4).map(|_| thread::spawn(|| 1)).collect();
    println!("{} done", all.into_iter().map(|one| one.join().unwrap()).sum::<i32>());
}
""",
}
