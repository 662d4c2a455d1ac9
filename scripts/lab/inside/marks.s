# Marks whose arguments lie in every kind of place, as sys/sdt.h of SystemTap notes them, and nothing else: no C library, no loader.
#   marks COUNT    passes each place COUNT times, with n = 0, 1, 2 ...
# Made by: as -o marks.o marks.s && ld -pie --no-dynamic-linker -z noexecstack -z noseparate-code -Ttext=0x11000 -o marks marks.o

        .macro  mark name, arguments, counter=0
990:    nop
        .pushsection .note.stapsdt, "", "note"
        .balign 4
        .4byte  992f - 991f, 994f - 993f, 3
991:    .asciz  "stapsdt"
992:    .balign 4
993:    .8byte  990b, _.stapsdt.base, \counter
        .asciz  "lab"
        .asciz  "\name"
        .asciz  "\arguments"
994:    .balign 4
        .popsection
        .endm

        .section .stapsdt.base, "a"
_.stapsdt.base:
        .space  1

        .section .probes, "aw"
raised_counter:
        .2byte  0

        .data
settled:
        .4byte  -77
table:  .8byte  11, 22, 33, 44

        .bss
        .balign 4096
cold:   .space  4096

        .text
        .globl  _start
_start:
        mov     table(%rip), %rax       # its page is in memory from now on; that of cold never is
        mov     16(%rsp), %rsi          # argv[1]
        xor     %ebp, %ebp
1:      movzbl  (%rsi), %eax
        test    %eax, %eax
        jz      2f
        imul    $10, %rbp
        lea     -48(%rbp,%rax), %rbp
        inc     %rsi
        jmp     1b
2:      xor     %ebx, %ebx              # n
        sub     $32, %rsp
3:      cmp     %rbp, %rbx
        jge     4f
        call    several
        call    reached
        call    widths
        call    unreadable
        call    missing
        call    raised
        inc     %rbx
        jmp     3b
4:      mov     $231, %eax              # exit_group
        xor     %edi, %edi
        syscall

# One mark at four places, and at each its two arguments lie elsewhere.
several:
        mov     $-5, %r13d
        mov     %rbx, %r12
        mark    several, "8@%r12 -4@%r13d"
        lea     100(%rbx), %rcx
        mark    several, "8@%rcx -4@$-6"
        lea     200(%rbx), %rcx
        mov     %rcx, -16(%rsp)
        movl    $-7, -20(%rsp)
        mark    several, "8@-16(%rsp) -4@-20(%rsp)"
        lea     300(%rbx), %rax
        lea     -24(%rsp), %rdi
        movl    $-8, -24(%rsp)
        mark    several, "8@%rax -4@(%rdi)"
        ret

# One mark at three places with arguments behind an index, and behind names.
reached:
        lea     table(%rip), %rcx
        mov     $2, %edx
        mark    reached, "8@8(%rcx,%rdx,8) -4@settled(%rip)"
        mov     $3, %edx
        mark    reached, "8@8+table(%rip) -4@-28(%rcx,%rdx,8)"
        mov     $4, %edx
        mark    reached, "8@(%rcx,%rdx,4) -4@-4+table(%rip)"
        ret

# Every width, cut out of registers that hold more, and the ends of constants.
widths:
        mov     $0x8182838485868788, %rcx
        mov     $0x91929394959697a8, %r9
        mark    widths, "1@%cl -1@%ch 2@%cx -2@%r9w 4@%ecx -4@%r9d 8@%rcx -8@%r9 -1@%r9b 8@$-1 -8@$-9223372036854775808 1@$300"
        ret

# The second and fourth cannot be read: a floating-point register, and a name that nobody defines.
unreadable:
        mov     %rbx, %rdx
        mark    unreadable, "8@%rdx 8f@%xmm1 4@$7 8@nobody(%rip)"
        ret

# The first lies in a page that nobody has touched.
missing:
        mov     %rbx, %rdx
        mark    missing, "8@cold(%rip) -4@%edx"
        ret

# The program gets there while its counter is raised.
raised:
        cmpw    $0, raised_counter(%rip)
        je      1f
        mov     %ebx, %edx
        mark    raised, "4@%edx", raised_counter
1:      ret
